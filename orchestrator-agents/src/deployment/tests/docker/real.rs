//! A real engine: podman, which speaks the same interface, started for the test with a folder and a socket of its own. Its image is made
//! of one static program, so that nothing is fetched. Needs root, podman, runc and catatonit.

use std::process::{Child, Stdio};

use super::forwarded::{boots, starts};
use super::lifecycle::{looked_at, whole_life};
use super::*;

struct Podman {
    folder: tempfile::TempDir,
    service: Child,
    socket: PathBuf,
}

impl Podman {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Bounds of its own are more than a machine that is a container itself may give.
        let text = "[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nruntime = \"runc\"\n\
            [containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
        std::fs::write(folder.path().join("containers.conf"), text).unwrap();
        let socket = folder.path().join("engine.sock");
        let log = std::fs::File::create(folder.path().join("service.log")).unwrap();
        let mut command = Self::command(folder.path());
        command.args(["system", "service", "--time", "0"]).arg(format!("unix://{}", socket.display()));
        let service = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let podman = Self { folder, service, socket };
        eventually("the engine's socket", || std::os::unix::net::UnixStream::connect(&podman.socket).is_ok());
        for version in ["0.1.0", "0.2.0"] {
            podman.image(version);
        }
        podman
    }

    fn command(folder: &Path) -> Command {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", folder.join("containers.conf")).arg("--root").arg(folder.join("root"));
        command.arg("--runroot").arg(folder.join("run")).args(["--storage-driver", "vfs"]);
        command
    }

    /// An image of one static program, made anew: its id differs each time.
    fn image(&self, version: &str) {
        static BINARY: OnceLock<PathBuf> = OnceLock::new();
        let binary = BINARY.get_or_init(|| {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/service.rs");
            let folder = std::env::current_exe().unwrap().with_file_name("fixtures").join("static");
            std::fs::create_dir_all(&folder).unwrap();
            let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
            let fresh = folder.join(format!("app-{}", std::process::id()));
            let flags =
                ["--edition", "2024", "-C", "target-feature=+crt-static", "-C", "strip=symbols", "-o"];
            assert!(Command::new(rustc).args(flags).arg(&fresh).arg(&source).status().unwrap().success());
            std::fs::rename(&fresh, folder.join("app")).unwrap();
            folder.join("app")
        });
        let archive = self.folder.path().join("image.tar");
        let packed = Command::new("tar")
            .arg("-C")
            .arg(binary.parent().unwrap())
            .arg("-cf")
            .arg(&archive)
            .arg("app")
            .status();
        assert!(packed.unwrap().success());
        let mut import = Self::command(self.folder.path());
        let made = format!("LABEL made={}", jiff::Timestamp::now());
        import
            .args(["import", "-q", "--change", "ENTRYPOINT [\"/app\"]", "--change", &made])
            .arg(&archive)
            .arg(format!("school:{version}"));
        let import = import.output().unwrap();
        assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
    }

    fn containers(&self) -> String {
        let listed = Self::command(self.folder.path())
            .args(["ps", "-a", "--format", "{{.Names}} {{.Status}}"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&listed.stdout).into_owned()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = Self::command(self.folder.path()).args(["rm", "-f", "-a", "-t", "0"]).output();
        let _ = self.service.kill();
        let _ = self.service.wait();
        // Its storage holds what only root may remove.
        let _ = Self::command(self.folder.path()).args(["system", "reset", "-f"]).output();
    }
}

fn real(podman: &Podman, version: &str, mode: &str) -> Value {
    let mut config = contained(&podman.socket, version, mode);
    config["env"]["HOST"] = json!("0.0.0.0");
    config
}

#[test]
#[ignore = "needs podman and root; tests/run has it where containers can run"]
fn needs_engine_a_version_comes_counts_goes_and_comes_back() {
    let podman = Podman::new();
    let desk = Desk::new();
    let config = |version: &str, mode: &str| {
        let mut config = real(&podman, version, mode);
        config["target"]["memory"] = json!("256MiB");
        config["target"]["cpus"] = json!(1.5);
        config["target"]["volumes"] = json!(["data:/data"]);
        config
    };
    whole_life(&desk, &config, &|| podman.image("0.1.0"));
    assert_eq!(podman.containers(), "");
}

#[test]
#[ignore = "needs podman and root; tests/run has it where containers can run"]
fn needs_engine_a_look_sees_restarts_memory_and_the_log() {
    let podman = Podman::new();
    let desk = Desk::new();
    let mut input = start_contained(&podman.socket, "0.1.0", "");
    input["env"]["HOST"] = json!("0.0.0.0");
    looked_at(&desk, &input);
}

#[test]
#[ignore = "needs podman and root; tests/run has it where containers can run"]
fn needs_engine_what_fails_is_told_and_removed() {
    let podman = Podman::new();
    let desk = Desk::new();
    desk.deploy(1, real(&podman, "0.1.0", "")).unwrap();
    let before = desk.current().unwrap();
    let failed = desk.deploy(2, real(&podman, "0.2.0", "crash")).unwrap_err();
    assert!(failed.summary.contains("fatal: no database"), "{}", failed.summary);
    let mut never = real(&podman, "0.3.0", "");
    never["target"]["pull"] = json!("never");
    let failed = desk.deploy(3, never).unwrap_err();
    assert!(failed.summary.contains("the image `school:0.3.0` is not there"), "{}", failed.summary);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = real(&podman, "0.2.0", "");
    config["port"] = json!(taken.local_addr().unwrap().port());
    let failed = desk.deploy(4, config).unwrap_err();
    assert!(failed.summary.contains("is taken"), "{}", failed.summary);
    assert_eq!(desk.current().unwrap(), before);
    assert_eq!(podman.containers().lines().count(), 1, "{}", podman.containers());
}

#[test]
#[ignore = "needs podman and root; tests/run has it where containers can run"]
fn needs_engine_an_open_port_does_not_end_a_start() {
    let podman = Podman::new();
    let desk = Desk::new();
    starts(&desk, real(&podman, "0.1.0", "late"));
}

#[test]
#[ignore = "needs podman and root; tests/run has it where containers can run"]
fn needs_engine_one_that_boots_gets_no_traffic_back() {
    let podman = Podman::new();
    let desk = Desk::new();
    boots(&desk, real(&podman, "0.1.0", "late"), &|| {
        drop(ureq::get(format!("{}/crash", desk.current().unwrap().1)).call());
    });
}
