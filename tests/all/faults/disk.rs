//! The disk of the state folder is full: at a start, at a switch, in a watch, by logs. What serves goes on serving.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use super::*;

/// A small file system in memory for the state folder.
struct Disk(PathBuf);

impl Disk {
    fn below(scene: &Scene) -> Self {
        let state = scene.folder.path().join(".orchestrate");
        std::fs::create_dir_all(&state).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=48m", "none"]).arg(&state);
        assert!(mount.status().unwrap().success(), "a file system in memory could not be mounted");
        Self(state)
    }

    /// Leaves so many bytes.
    fn fill(&self, left: usize) {
        let mut ballast = std::fs::File::create(self.0.join("ballast")).unwrap();
        while ballast.write_all(&[1; 4096]).is_ok() {}
        let length = ballast.metadata().unwrap().len();
        ballast.set_len(length.saturating_sub(left as u64)).unwrap();
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        // The folder of the test could not be removed while this was mounted in it.
        let _ = self.0.parent().map(std::fs::remove_dir_all);
    }
}

/// Full from a moment on until the run is over; then there is room again, and the next deployment passes.
fn full_from(moment: impl Fn(&Scene, &Disk, &mut Child)) {
    let scene = Scene::empty();
    let disk = Disk::below(&scene);
    scene.deploy(Version { with: "", ..Version::good("1.0.0") }).exits(0);
    let load = scene.load();
    let mut run = scene.begin(Version::good("2.0.0"));
    moment(&scene, &disk, &mut run);
    let said = over(run);
    println!("{said:?}");
    // Whatever came of it, one of them serves.
    let serves = ask(scene.port).unwrap();
    assert!(serves.version().is_some(), "{serves:?}");
    disk.free();
    scene.deploy(Version::good("3.0.0")).exits(0);
    scene.settled("3.0.0", load, 0);
    drop(disk);
}

#[test]
#[ignore = "needs root, to mount a file system; tests/run has it"]
fn needs_root_a_disk_that_is_full_at_the_start_of_a_version() {
    let scene = Scene::empty();
    let disk = Disk::below(&scene);
    scene.deploy(Version { with: "", ..Version::good("1.0.0") }).exits(0);
    let load = scene.load();
    // Room for a journal, and not for a binary.
    disk.fill(200 << 10);
    let said = scene.deploy(Version::good("2.0.0"));
    assert_ne!(said.code, Some(0), "{said:?}");
    assert_eq!(ask(scene.port).unwrap().version(), Some("1.0.0"));
    disk.free();
    scene.deploy(Version::good("2.0.0")).exits(0);
    scene.settled("2.0.0", load, 0);
    drop(disk);
}

#[test]
#[ignore = "needs root, to mount a file system; tests/run has it"]
fn needs_root_a_disk_that_fills_up_at_the_switch() {
    full_from(|scene, disk, run| {
        until("the candidate", || scene.pid("candidate.json").is_some() || run.try_wait().unwrap().is_some());
        disk.fill(0);
    });
}

#[test]
#[ignore = "needs root, to mount a file system; tests/run has it"]
fn needs_root_a_disk_that_fills_up_in_a_watch() {
    full_from(|scene, disk, run| {
        scene.watched(run);
        disk.fill(0);
    });
}

/// Logs fill it: the supervisor lets old parts go, and the service, the proxy and the supervisor go on.
#[test]
#[ignore = "needs root, to mount a file system; tests/run has it"]
fn needs_root_logs_that_fill_the_disk_end_nothing() {
    let scene = Scene::empty();
    let disk = Disk::below(&scene);
    scene.deploy(Version { with: "", ..Version::good("1.0.0") }).exits(0);
    let load = scene.load();
    let service = scene.record("current.json")["url"].as_str().unwrap().to_owned();
    let address = service.strip_prefix("http://").unwrap().to_owned();
    // A thousand lines of about 60 bytes each: 72 MB in all.
    for _ in 0..1_200 {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        stream.write_all(b"GET /chat HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        assert_eq!(load::read(&mut stream).unwrap().status, 200);
    }
    assert!(scene.supervisor().is_some());
    let log = scene.place().join("releases").join(scene.record("current.json")["release"].as_str().unwrap());
    let room = || std::fs::metadata(log.join("service.log")).map_or(0, |found| found.blocks() * 512);
    until("the log is short again", || room() < 11 << 20);
    scene.settled("1.0.0", load, 0);
    drop(disk);
}
