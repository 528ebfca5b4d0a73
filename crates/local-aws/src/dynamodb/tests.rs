use std::path::PathBuf;
use std::sync::Arc;

use super::{DynamoDb, TableStore};
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
    // The first is none the worse for it, and its folder is free after its end.
    first.put_if_absent("things", "id", &serde_json::json!({"id": "a"})).await.unwrap();
    first.close().await;
    folder.open().unwrap().close().await;
}

#[tokio::test]
async fn what_is_no_database_is_named_with_a_way_out() {
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
