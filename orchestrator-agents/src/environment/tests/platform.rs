use orchestrator_core::agent::Agent;
use orchestrator_core::order::Artifacts;
use orchestrator_core::settings::Remedies;
use orchestrator_core::testkit::{Kept, task};

use super::{Came, Machine};
use crate::environment::{CheckPlatform, CheckPlatformConfig, PlatformSeen, Probe, Probing};

/// The start of an `AppleDouble` file.
const FORK: &str = "\u{0}\u{5}\u{16}\u{7}\u{0}\u{2}";

#[tokio::test]
async fn what_git_ignores_is_removed_and_what_it_sees_is_told() {
    let mut machine = Machine::new();
    machine.rig.write(".gitignore", "cache/\n");
    machine.rig.write("cache/deep/._a.py", FORK);
    machine.rig.write("cache/.DS_Store", "x");
    machine.rig.write("cache/._kept", "a file of somebody's own");
    machine.rig.write("src/a.py", "");
    let off = CheckPlatformConfig { remedy: Remedies::Off };
    machine
        .check(Probing(CheckPlatform), off)
        .await
        .fails()
        .says(&["2 resource-fork files", "cache/deep/._a.py"]);
    let came = machine.check(Probing(CheckPlatform), CheckPlatformConfig::default()).await.passes();
    assert!(came.rounds[1][0].starts_with("call clear-paths"), "{:?}", came.rounds);
    came.says(&["2 resource-fork files that git ignores removed", "no resource-fork files"]);
    assert_eq!(machine.rig.read("cache/._kept"), "a file of somebody's own");
    machine.rig.write("src/._a.py", FORK);
    machine.rig.write("src/._readme", "text");
    let came = machine.check(Probing(CheckPlatform), CheckPlatformConfig::default()).await.fails();
    assert_eq!(came.rounds.len(), 1, "what git sees is not removed unasked");
    came.says(&["src/._a.py", "1 resource-fork file of macOS"]);
}

#[tokio::test]
async fn what_is_only_for_macos_did_not_run_elsewhere() {
    let mut machine = Machine::new();
    if cfg!(target_os = "macos") {
        return;
    }
    let came = machine.check(Probing(CheckPlatform), CheckPlatformConfig::default()).await.passes();
    came.says(&["not run: Xcode's tools, only on macOS", "Note not-run", "\"xcode\":false"]);
}

#[test]
fn on_macos_the_command_line_tools_are_looked_for() {
    let seen = serde_json::json!({ "system": "macos", "visible": [], "ignored": [] });
    let seen: PlatformSeen = serde_json::from_value(seen).unwrap();
    let config = CheckPlatformConfig::default();
    assert_eq!(CheckPlatform.actions(&config, &seen).unwrap().len(), 2);
    let mut kept = Kept::default();
    let mut concluded = |code: i32| {
        let receipts = [kept.exited(0, "", ""), kept.exited(code, "", "")];
        let mut task = task(CheckPlatformConfig::default());
        task.carried = serde_json::to_value(&seen).unwrap().into();
        let verdict = Probing(CheckPlatform).conclude(&task, &receipts, &Artifacts::new(&kept)).unwrap();
        Came { rounds: Vec::new(), verdict }
    };
    concluded(0).passes().says(&["the command line tools are there", "\"xcode\":true"]);
    concluded(2).fails().says(&["`xcode-select --install`"]);
}

#[tokio::test]
async fn outside_a_repository_it_says_what_was_not_looked_at() {
    let mut machine = Machine::new();
    std::fs::remove_dir_all(machine.rig.root.join(".git")).unwrap();
    machine
        .check(Probing(CheckPlatform), CheckPlatformConfig::default())
        .await
        .passes()
        .says(&["what git ignores was not looked at"]);
}
