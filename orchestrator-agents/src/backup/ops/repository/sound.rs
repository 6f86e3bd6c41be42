//! Whether the files of a repository are what they were: each but `config` is named after its SHA-256. Needs no password.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use orchestrator_core::BoxError;
use sha2::{Digest as _, Sha256};

use super::folder::files;
use crate::ops::here::Here;

/// Names every file whose content is not what its name says, relative to the repository.
pub(super) fn damaged(here: &Here, repository: &Path) -> Result<Vec<String>, BoxError> {
    let mut wrong = Vec::new();
    let mut all = Vec::new();
    if files(&repository.join("keys"))?.is_empty() {
        wrong.push("`keys`: there is none".to_owned());
    }
    for folder in ["keys", "snapshots", "index", "data"] {
        all.extend(files(&repository.join(folder))?);
    }
    let bytes: u64 = all.iter().map(|(_, bytes)| bytes).sum();
    let mut done = 0;
    for (path, size) in all {
        here.go_on()?;
        here.progress.step("reading the repository", Some((done, bytes)));
        done += size;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let place = path.strip_prefix(repository).unwrap_or(&path).display().to_string();
        if name.contains("-tmp-") {
            continue;
        }
        match digest(here, &path) {
            Ok(found) if found == name => {}
            Ok(_) => wrong.push(format!("`{place}`: content differs")),
            Err(error) => {
                here.go_on()?;
                wrong.push(format!("`{place}`: {error}"));
            }
        }
    }
    Ok(wrong)
}

fn digest(here: &Here, path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        here.go_on().map_err(io::Error::other)?;
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hasher.update(&buffer[..read]),
        }
    }
}
