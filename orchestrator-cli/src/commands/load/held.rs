//! Files that hold a load: it goes on as long as each is there and the same.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;

/// How often they are looked at.
const PAUSE: Duration = Duration::from_millis(50);
/// The most bytes of one that are compared.
const LONGEST: u64 = 64 * 1024;

/// Is ready when one of them is gone, or another one than it was; never where there are none.
pub(super) fn gone(files: &[PathBuf]) -> impl Future<Output = ()> {
    let held: Vec<(PathBuf, Option<Vec<u8>>)> =
        files.iter().map(|file| (file.clone(), bytes(file))).collect();
    async move {
        if held.is_empty() {
            return std::future::pending().await;
        }
        while held.iter().all(|(file, was)| was.is_some() && bytes(file) == *was) {
            sleep(PAUSE).await;
        }
    }
}

fn bytes(file: &Path) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(file).ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::gone;

    #[tokio::test]
    async fn a_load_is_held_by_files_that_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        std::fs::write(&one, "a").unwrap();
        std::fs::write(&other, "b").unwrap();
        let short = Duration::from_millis(200);
        assert!(timeout(short, gone(&[])).await.is_err(), "nothing holds it");
        let files = [one.clone(), other.clone()];
        let held = gone(&files);
        tokio::pin!(held);
        assert!(timeout(short, &mut held).await.is_err(), "both are there");
        std::fs::write(&other, "c").unwrap();
        held.await;
        std::fs::remove_file(&one).unwrap();
        gone(&[one]).await;
    }
}
