//! CONTRIBUTING's paths, and its list of what a new vendor touches, compared with an existing vendor.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// A vendor that has everything that the list names.
const VENDOR: (&str, &str) = ("cohere", "Cohere");

/// The files that the section "A new vendor" names, with the vendor's name in Acme's place.
fn listed() -> BTreeSet<String> {
    let page = fs::read_to_string(format!("{ROOT}/CONTRIBUTING.md")).unwrap();
    let section = page.split("## A new vendor").nth(1).unwrap().split("\n## ").next().unwrap();
    let section = section.replace("acme", VENDOR.0).replace("Acme", VENDOR.1);
    section
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.contains('/') || ["template.yaml", "CHANGELOG.md", "README.md"].contains(name))
        .map(str::to_owned)
        .collect()
}

/// Files of source and text that mention the vendor, by their paths in the repository.
fn mentioning(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !["target", "snapshots", "benchmarks"].contains(&name) && !name.starts_with('.') {
                mentioning(&path, found);
            }
        } else if ["rs", "toml", "json", "yaml", "md", "txt"]
            .iter()
            .any(|kind| path.extension().is_some_and(|extension| extension == *kind))
            && fs::read_to_string(&path).unwrap().to_lowercase().contains(VENDOR.0)
        {
            found.insert(path.strip_prefix(ROOT).unwrap().to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn every_place_that_a_new_vendor_touches_is_listed() {
    let listed = listed();
    assert!(listed.len() > 15, "{listed:?}");
    let mut found = BTreeSet::new();
    mentioning(Path::new(ROOT), &mut found);
    for file in listed.iter().filter(|file| *file != "README.md") {
        assert!(
            found.contains(file),
            "CONTRIBUTING names {file}, which is missing or does not mention {}",
            VENDOR.0
        );
    }
    // Tests may take any vendor for an example.
    let is_test = |file: &str| file.starts_with("tests/") || file.contains("/tests");
    let forgotten: Vec<_> = found.iter().filter(|file| !listed.contains(*file) && !is_test(file)).collect();
    assert!(forgotten.is_empty(), "CONTRIBUTING does not name {forgotten:?}");
}

/// Paths in code marks and targets of links, also outside of the list for a vendor.
#[test]
fn every_path_that_contributing_names_exists() {
    let page = fs::read_to_string(format!("{ROOT}/CONTRIBUTING.md")).unwrap();
    let page = page.replace("acme", VENDOR.0);
    let in_code = page.split('`').skip(1).step_by(2).filter(|name| name.contains('/') && !name.contains(' '));
    let links = page.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let paths: BTreeSet<_> = in_code.chain(links).collect();
    assert!(paths.len() > 20, "{paths:?}");
    let missing: Vec<_> = paths.iter().filter(|path| !Path::new(ROOT).join(path).exists()).collect();
    assert!(missing.is_empty(), "CONTRIBUTING names {missing:?}");
}

/// The list sends a new vendor there for this number.
#[test]
fn the_readme_counts_the_functions() {
    const WORDS: [&str; 11] = [
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
        "twenty-one",
        "twenty-two",
        "twenty-three",
        "twenty-four",
        "twenty-five",
    ];
    let template = include_str!("../../template.yaml");
    let count = template.matches("\n    Type: AWS::Serverless::Function\n").count();
    let readme = include_str!("../../README.md");
    let words = format!("{} small Rust functions", WORDS[count - 15]);
    assert!(readme.contains(&words), "the template has {count} functions; README is to say {words:?}");
}
