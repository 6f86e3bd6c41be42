//! The shell scripts of a project, and what they say of themselves.

use orchestrator_core::path::RelPath;

use super::Files;
use super::commands::{Command, quoted};

/// The most lines that are taken of what a script says of itself.
const LINES: usize = 12;

/// A shell script.
pub(super) struct Script {
    path: RelPath,
    about: Vec<String>,
}

/// The scripts at the root and in `scripts` and `bin`, in order.
pub(super) fn all(files: &Files<'_>) -> Vec<Script> {
    let is_script = |path: &&RelPath| {
        let (folder, _) = crate::rendering::split(path);
        super::extension(path) == "sh" && matches!(folder.as_str(), "." | "scripts" | "bin")
    };
    let root = RelPath::root();
    let paths = files.below(&root).filter(is_script).take(100);
    paths
        .map(|path| Script { path: path.clone(), about: about(&files.text(path).unwrap_or_default()) })
        .collect()
}

impl Script {
    /// Its name without the extension.
    pub(super) fn name(&self) -> &str {
        let (_, name) = crate::rendering::split(&self.path);
        name.strip_suffix(".sh").unwrap_or(name)
    }

    /// How it is started at the root.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(format!("bash {}", quoted(self.path.as_str())), self.path.as_str());
        command.about.clone_from(&self.about);
        command
    }
}

/// The comment on top, without the line that names the interpreter.
fn about(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| line.starts_with("#!"));
    let comment = lines.map_while(|line| line.strip_prefix('#')).take(LINES);
    let plain = |line: &str| !line.contains("```") && !line.contains(char::is_control) && line.len() <= 200;
    let about: Vec<String> =
        comment.map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()).collect();
    if about.iter().all(|line| plain(line)) { about } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::about;

    #[test]
    fn a_script_says_on_top_what_it_is_for() {
        let text = "#!/bin/sh\n# Ships it:\n#   ship.sh PLACE\nset -eu\n# not this\n";
        assert_eq!(about(text), ["Ships it:", "  ship.sh PLACE"]);
        assert!(about("#!/bin/sh\nset -eu\n").is_empty());
        assert!(about("# a\n# ```\n").is_empty(), "it would end the block that it is shown in");
    }
}
