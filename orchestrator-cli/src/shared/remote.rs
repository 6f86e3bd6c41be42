//! Buckets of S3-compatible services, and Redis, through opendal.
//!
//! Credentials come from the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`; for Redis the
//! secrets `SHARED_REDIS_USERNAME` and `SHARED_REDIS_PASSWORD`.

use std::io::Read;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::TryStreamExt;
use opendal::layers::RetryLayer;
use opendal::services::{Redis, S3};
use opendal::{ErrorKind, HttpTransporter, OperationContext, Operator};
use orchestrator_core::BoxError;
use orchestrator_core::operation::SecretSource;
use tokio::runtime::{Builder, Runtime};

use super::http::Http;
use super::place::{PART, Place, part};
use super::{SharedError, Where};
use crate::secrets::EnvSecrets;

/// Bytes of one upload; a longer file goes up in several.
const CHUNK: usize = 8 << 20;
/// How often what may be a passing failure is tried again.
const RETRIES: usize = 2;

/// A bucket or a Redis server.
pub(super) struct Remote {
    operator: Operator,
    runtime: Option<Runtime>,
    /// What is missing in the environment: said when it is first used, so that a run goes on without.
    missing: Option<String>,
    /// Whether the service keeps its promise to create only what is not there.
    creates: OnceLock<Result<(), String>>,
}

impl Remote {
    /// Asks nothing of the service yet.
    pub(super) fn open(at: &Where) -> Result<Self, SharedError> {
        Self::with(at, &|name| EnvSecrets.secret(name))
    }

    /// The same with credentials and defaults from elsewhere.
    pub(super) fn with(at: &Where, set: &dyn Fn(&str) -> Option<String>) -> Result<Self, SharedError> {
        let wrong = |why: String| SharedError::Address { why };
        let (operator, missing) = match at {
            Where::Bucket { bucket, prefix, endpoint, region } => {
                let (service, missing) =
                    bucket_of(bucket, prefix, endpoint.as_deref(), region.as_deref(), set);
                (Operator::new(service), missing)
            }
            Where::Redis { host, port, db, prefix } => {
                let mut service =
                    Redis::default().endpoint(&format!("tcp://{host}:{port}")).db(*db).root(prefix);
                if let Some(name) = set("SHARED_REDIS_USERNAME") {
                    service = service.username(&name);
                }
                if let Some(password) = set("SHARED_REDIS_PASSWORD") {
                    service = service.password(&password);
                }
                (Operator::new(service), None)
            }
            Where::Folder(_) => return Err(wrong("a folder is not remote".into())),
        };
        let operator = operator.map_err(|error| wrong(error.to_string()))?;
        let context = OperationContext::new().with_http_transport(HttpTransporter::new(Http::new()));
        let retry = RetryLayer::new().with_max_times(RETRIES).with_min_delay(Duration::from_millis(100));
        let operator = operator.with_context(context).layer(retry);
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(|source| {
                SharedError::Io {
                    what: "the runtime of the shared place could not be started".into(),
                    source,
                }
            })?;
        Ok(Self { operator, runtime: Some(runtime), missing, creates: OnceLock::new() })
    }

    fn wait<T>(&self, work: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
        if let Some(missing) = &self.missing {
            return Err(missing.clone().into());
        }
        self.runtime.as_ref().ok_or("it is closed")?.block_on(work)
    }

    async fn create_new(&self, name: &str, bytes: &[u8]) -> Result<bool, BoxError> {
        match self.operator.write_with(name, bytes.to_vec()).if_not_exists(true).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::ConditionNotMatch => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates a name of its own twice: a service that passes over the condition would let two machines win.
    async fn prove(&self, beside: &str) -> Result<(), String> {
        if !self.operator.info().capability().write_with_if_not_exists {
            return Err(
                "this kind of place cannot keep two machines apart; share runs through a folder or a \
                        bucket"
                    .into(),
            );
        }
        let n = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), beside);
        let probe = format!("probes/{n:016x}");
        let twice = match self.create_new(&probe, b"1").await {
            Ok(true) => self.create_new(&probe, b"2").await,
            other => other.map(|_| true),
        };
        // What is left of a probe harms nobody.
        let _ = self.operator.delete(&probe).await;
        match twice {
            Ok(false) => Ok(()),
            Ok(true) => {
                Err("this service does not keep two machines apart: it passes over `If-None-Match`".into())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The service of a bucket, and what the environment lacks for it.
fn bucket_of(
    bucket: &str,
    prefix: &str,
    endpoint: Option<&str>,
    region: Option<&str>,
    set: &dyn Fn(&str) -> Option<String>,
) -> (S3, Option<String>) {
    let set = |name: &str| set(name).filter(|value| !value.is_empty());
    let region =
        region.map(str::to_owned).or_else(|| set("AWS_REGION")).or_else(|| set("AWS_DEFAULT_REGION"));
    let mut service = S3::default()
        .bucket(bucket)
        .root(prefix)
        .region(region.as_deref().unwrap_or("us-east-1"))
        .disable_config_load()
        .disable_ec2_metadata();
    if let Some(endpoint) = endpoint.map(str::to_owned).or_else(|| set("AWS_ENDPOINT_URL")) {
        service = service.endpoint(&endpoint);
    }
    let (key, secret) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY"));
    let (Some(key), Some(secret)) = (key, secret) else {
        return (service, Some("`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` are not set".into()));
    };
    service = service.access_key_id(&key).secret_access_key(&secret);
    if let Some(token) = set("AWS_SESSION_TOKEN") {
        service = service.session_token(&token);
    }
    (service, None)
}

impl Drop for Remote {
    fn drop(&mut self) {
        // A request that hangs must not keep the program from ending.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Place for Remote {
    fn holds_runs(&self) -> bool {
        let can = self.operator.info().capability();
        can.list && can.write_with_if_not_exists
    }

    fn get(&self, name: &str, each: &mut dyn FnMut(Vec<u8>) -> bool) -> Result<bool, BoxError> {
        self.wait(async {
            let mut bytes = match self.operator.reader(name).await?.into_stream(..).await {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            let mut whole = Vec::new();
            loop {
                match bytes.try_next().await {
                    Ok(Some(next)) => whole.extend(next.to_vec()),
                    Ok(None) => {
                        each(whole);
                        return Ok(true);
                    }
                    Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
                    Err(error) => return Err(error.into()),
                }
                if whole.len() >= PART && !each(std::mem::take(&mut whole)) {
                    return Ok(true);
                }
            }
        })
    }

    fn size(&self, name: &str) -> Result<Option<u64>, BoxError> {
        self.wait(async {
            match self.operator.stat(name).await {
                Ok(meta) => Ok(Some(meta.content_length())),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn put(&self, name: &str, from: &mut (dyn Read + Send), step: &mut dyn FnMut()) -> Result<(), BoxError> {
        self.wait(async {
            let mut writer = self.operator.writer_with(name).chunk(CHUNK).await?;
            loop {
                let written = match part(from) {
                    Ok(bytes) if bytes.is_empty() => break,
                    Ok(bytes) => writer.write(bytes).await.map_err(BoxError::from),
                    Err(error) => Err(error.into()),
                };
                if let Err(error) = written {
                    // Parts that went up already are the service's to remove.
                    let _ = writer.abort().await;
                    return Err(error);
                }
                step();
            }
            writer.close().await?;
            Ok(())
        })
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<bool, BoxError> {
        self.wait(async {
            if self.creates.get().is_none() {
                let proved = self.prove(name).await;
                let _ = self.creates.set(proved);
            }
            if let Some(Err(why)) = self.creates.get() {
                return Err(why.clone().into());
            }
            self.create_new(name, bytes).await
        })
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, BoxError> {
        self.wait(async {
            let entries = self.operator.list(&format!("{folder}/")).await?;
            let name = |path: &str| path.trim_end_matches('/').rsplit('/').next().map(str::to_owned);
            Ok(entries.iter().filter_map(|entry| name(entry.path())).collect())
        })
    }
}
