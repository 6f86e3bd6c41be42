//! Sets up a new repository. Never over something else.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::bundle;
use super::here::{Password, Stands, below_root, folder, stands};
use super::look::not_one;
use super::rustic::{init, open};
use super::{Vault, folder::make_folder};
use crate::backup::repository::Place;
use crate::ops::here::{Here, blocking};

/// Sets up a repository. There is no undo: backups survive a rollback, and so does the place where they go.
#[derive(Debug, Clone, Copy)]
pub struct InitRepository;

/// Where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InitInput {
    /// Where it is to lie, and where its password comes from.
    pub repository: Place,
}

/// A repository that was set up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Initialized {
    /// Its id.
    pub id: String,
}

#[async_trait]
impl Operation for InitRepository {
    const NAME: &'static str = "init-repository";
    const EFFECT: Effect = Effect::Writes;
    type Input = InitInput;
    type Output = Initialized;

    async fn call(&self, input: InitInput, _: &OrderKey, site: &Site<'_>) -> Result<Initialized, BoxError> {
        let password = Password::of(&input.repository, site)?;
        blocking(site, move |here| set_up(here, &input.repository, &password)).await
    }

    /// Repeating it is safe: one that is there and opens is the one.
    async fn already(&self, _: &InitInput, _: &OrderKey, _: &Site<'_>) -> Already<Initialized> {
        Already::NotDone
    }
}

fn set_up(here: &Here, place: &Place, password: &Password) -> Result<Initialized, BoxError> {
    let path = folder(here, place)?;
    match stands(&path)? {
        Stands::Else => return Err(not_one(place)),
        Stands::Repository => return Ok(Initialized { id: open(here, &path, place, password)?.id() }),
        Stands::Nothing => {}
    }
    make_folder(&path)?;
    if let Some(below) = below_root(here, &path)? {
        ignored_by_git(here, &below, &path)?;
    }
    // Keys that a killed process left open nothing: there is no data, and `config`, which it writes last, is not there.
    match fs::remove_dir_all(path.join("keys")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    Ok(Initialized { id: init(here, &path, password)?.id() })
}

/// A repository in the checkout is ignored as a whole.
fn ignored_by_git(here: &Here, below: &RelPath, path: &Path) -> Result<(), BoxError> {
    match File::create_new(path.join(".gitignore")) {
        Ok(mut file) => file.write_all(b"*\n")?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    if let Some(git) = bundle::repository(here)? {
        let kept = !git.text(["ls-files", "--", &format!(":(literal){below}")])?.is_empty();
        if kept || git.maybe(["check-ignore", "--quiet", &format!("{below}/config")])?.is_none() {
            return Err(
                format!("git does not ignore `{below}`; give the repository a folder of its own").into()
            );
        }
    }
    Ok(())
}
