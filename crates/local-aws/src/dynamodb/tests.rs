use std::path::PathBuf;
use std::sync::Arc;

use super::{DynamoDb, NumberIndex, TableStore};
use crate::faults::Faults;

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("local-aws-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn open(&self) -> Result<DynamoDb, String> {
        let store = TableStore::Folder(self.0.clone());
        DynamoDb::open(&store, Arc::new(Faults::new(0))).map_err(|error| error.to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_folder_has_one_host_at_a_time() {
    let folder = Folder::new("in-use");
    let first = folder.open().unwrap();
    first.create_table("things", "id", None).await.unwrap();
    let refused = folder.open().unwrap_err();
    assert!(
        refused.contains(folder.0.to_str().unwrap()) && refused.contains("in use by another host"),
        "{refused}"
    );
    // The first host keeps working, and the folder can be used again after its end.
    first.put_if_absent("things", "id", &serde_json::json!({"id": "a"})).await.unwrap();
    first.close().await;
    folder.open().unwrap().close().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_reported_with_what_to_do() {
    let folder = Folder::new("not-a-database");
    let file = folder.0.join("tables.sqlite");
    std::fs::write(&file, [b'x'; 5_000]).unwrap();
    let refused = folder.open().unwrap_err();
    assert!(refused.contains(file.to_str().unwrap()), "{refused}");
    assert!(refused.contains("is not a SQLite database; move it away"), "{refused}");

    // A database with everything but its first page overwritten.
    std::fs::remove_file(&file).unwrap();
    let tables = folder.open().unwrap();
    tables.create_table("things", "id", None).await.unwrap();
    tables.close().await;
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[4_096..].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let refused = folder.open().unwrap_err();
    assert!(
        refused.contains(file.to_str().unwrap()) && refused.contains("is damaged, move it away"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_table_of_another_version_is_reported_with_what_to_do() {
    let folder = Folder::new("another-version");
    let by_month = NumberIndex { name: "by-month", attribute: "month" };
    let by_year = NumberIndex { name: "by-month", attribute: "year" };
    let tables = folder.open().unwrap();
    tables.create_table("plain", "id", None).await.unwrap();
    tables.create_table("indexed", "id", Some(&by_month)).await.unwrap();
    tables.close().await;

    let tables = folder.open().unwrap();
    tables.create_table("plain", "id", None).await.unwrap();
    tables.create_table("indexed", "id", Some(&by_month)).await.unwrap();
    for (table, key, index, expected) in [
        ("plain", "name", None, "its key is id, not name"),
        ("plain", "id", Some(&by_month), "it has no index by-month with the key month, id"),
        ("indexed", "id", Some(&by_year), "it has no index by-month with the key year, id"),
    ] {
        let refused = tables.create_table(table, key, index).await.unwrap_err().to_string();
        assert!(refused.contains(folder.0.to_str().unwrap()) && refused.contains(table), "{refused}");
        assert!(refused.contains(expected) && refused.contains("move the folder away"), "{refused}");
    }
    tables.close().await;
}
