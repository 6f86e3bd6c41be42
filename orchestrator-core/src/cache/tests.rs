use std::time::{Duration, SystemTime};

use super::*;
use crate::agent::Conclusion;
use crate::fingerprint::Fingerprint;
use crate::id::{AgentName, TaskId};
use crate::path::RelPath;

const AGE: Duration = Duration::from_hours(1);

fn entry(cache: &Cache, folder: &Path, name: &str, content: &[u8]) -> (Digest, Entry) {
    let file = folder.join(name);
    fs::write(&file, content).unwrap();
    let (digest, bytes) = cache.keep(&file).unwrap();
    let path = RelPath::new(name).unwrap();
    let fingerprint = Fingerprint {
        program: Fingerprint::PROGRAM.into(),
        agent: AgentName::new("a").unwrap(),
        agent_version: "1".into(),
        config: serde_json::json!(name).into(),
        platform: String::new(),
        files: [(path.clone(), Some(digest))].into(),
        env: [].into(),
        tools: [].into(),
        outputs: Vec::new(),
    };
    let result = Recorded {
        run: RunId::new("20261121000000-00000000").unwrap(),
        at: jiff::Timestamp::UNIX_EPOCH,
        took_ms: 1.0,
        conclusion: Conclusion::new(name, serde_json::json!({ "n": 1 }).into()),
        captured: Vec::new(),
        made: vec![Made { path, digest, bytes, mode: 0o600 }],
    };
    (fingerprint.digest(), Entry { fingerprint, task: TaskId::new("a").unwrap(), result })
}

fn age(path: &Path, age: Duration) {
    fs::File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

#[test]
fn what_is_old_or_too_much_goes_with_its_bytes() {
    let temp = tempfile::tempdir().unwrap();
    let cache = Cache::open(Layout::new(temp.path().join("state")));
    assert_eq!(cache.stats().unwrap(), Stats::default(), "nothing is made before something is stored");
    let shared = vec![7; 5000];
    let mut keys = Vec::new();
    for (n, content) in [(0, vec![1; 1000]), (1, vec![2; 2000]), (2, shared.clone()), (3, shared)] {
        let (key, entry) = entry(&cache, temp.path(), &format!("f{n}"), &content);
        assert!(cache.store(key, &entry));
        assert_eq!(cache.find(key), Some(entry));
        age(&cache.entry_path(key), Duration::from_secs(60 * n));
        keys.push(key);
    }
    let stats = cache.stats().unwrap();
    assert_eq!((stats.results, stats.files), (4, 3), "the same bytes are kept once");
    for blob in ["f0", "f1", "f2"] {
        age(
            &cache.blobs.path(Digest::of(&fs::read(temp.path().join(blob)).unwrap())),
            Duration::from_mins(10),
        );
    }
    assert_eq!(cache.prune(AGE, u64::MAX).unwrap().results, 0);
    age(&cache.entry_path(keys[3]), AGE * 2);
    assert_eq!(cache.prune(AGE, u64::MAX).unwrap().results, 1);
    assert!(cache.find(keys[3]).is_none() && cache.find(keys[2]).is_some(), "bytes that another holds stay");
    let swept = cache.prune(AGE, 6000).unwrap();
    assert_eq!(swept.results, 1, "the least recently used goes first");
    assert!(swept.bytes >= 5000 && cache.stats().unwrap().files == 2, "{swept:?}");
    assert!(cache.find(keys[0]).is_some() && cache.find(keys[1]).is_some());
    assert_eq!(cache.clear().unwrap().results, 2);
    assert_eq!(cache.stats().unwrap(), Stats::default());
}

#[test]
fn it_is_tidied_once_a_day() {
    let temp = tempfile::tempdir().unwrap();
    let cache = Cache::open(Layout::new(temp.path().join("state")));
    assert_eq!(cache.tidy(AGE, 0).unwrap(), None, "there is nothing");
    let (key, entry) = entry(&cache, temp.path(), "f", b"x");
    cache.store(key, &entry);
    assert_eq!(cache.tidy(AGE, 0).unwrap().map(|swept| swept.results), Some(1));
    cache.store(key, &entry);
    assert_eq!(cache.tidy(AGE, 0).unwrap(), None);
    age(&cache.folder().join("pruned"), Duration::from_hours(25));
    assert!(cache.tidy(AGE, 0).unwrap().is_some());
}

#[test]
fn bytes_go_out_as_copies_and_damaged_ones_not_at_all() {
    let temp = tempfile::tempdir().unwrap();
    let cache = Cache::open(Layout::new(temp.path().join("state")));
    // One that is read whole, and one that is not.
    for (n, size) in [(0, 10), (1, 3 << 20)] {
        let (key, entry) = entry(&cache, temp.path(), &format!("f{n}"), &vec![b'x'; size]);
        cache.store(key, &entry);
        let made = &entry.result.made[0];
        let out = temp.path().join(format!("out{n}"));
        let made = Made { path: RelPath::new(format!("out{n}")).unwrap(), mode: 0o751, ..made.clone() };
        cache.restore(&made, temp.path()).unwrap();
        let meta = out.metadata().unwrap();
        assert_eq!((meta.len(), std::os::unix::fs::MetadataExt::mode(&meta) & 0o777), (size as u64, 0o751));
        fs::write(&out, "changed").unwrap();
        cache.restore(&made, temp.path()).unwrap();
        assert_eq!(out.metadata().unwrap().len(), size as u64, "what is kept is another file");
        let blob = cache.blobs.path(made.digest);
        fs::remove_file(&blob).unwrap();
        fs::write(&blob, vec![b'y'; size]).unwrap();
        fs::write(&out, "mine").unwrap();
        let error = cache.restore(&made, temp.path()).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
        assert_eq!(fs::read(&out).unwrap(), b"mine", "nothing was touched");
        assert!(!blob.exists(), "and it is not used again");
        assert_eq!(
            fs::read_dir(temp.path())
                .unwrap()
                .flatten()
                .filter(|e| e.file_name().to_string_lossy().ends_with(".new"))
                .count(),
            0
        );
    }
}
