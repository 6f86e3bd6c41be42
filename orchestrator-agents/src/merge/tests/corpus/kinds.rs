//! The kinds of merges: what all start from, what each side did, and what must come of it.

use super::*;

/// Nine lines.
const NINE: &str = "seq 9 > f";
const LOG: &str = "printf '# Changelog\\n\\n## [Unreleased]\\n\\n### Added\\n\\n- one\\n' > CHANGELOG.md";
const SUB: &str = "git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,sub; mkdir sub; : index";
/// Longer than most, shorter than file systems allow.
const LONG: &str = "d=$(printf '%0100d' 0); mkdir -p $d/$d/$d; seq 9 > $d/$d/$d/f";

pub(super) const KINDS: &[Kind] = &[
    kind("both add the same", [":", "echo a > n", "echo a > n"], Tree(":")),
    kind("both add different files", [":", "echo a > n", "echo b > n"], Left(&["n"], "no rule")),
    kind("both modify the same", [NINE, "sed -i 5s/5/x/ f", "sed -i 5s/5/x/ f"], Tree(":")),
    kind("both modify elsewhere", [NINE, "sed -i 2s/2/x/ f", "sed -i 8s/8/y/ f"], Tree("sed -i 8s/8/y/ f")),
    kind("both modify one line", [NINE, "sed -i 5s/5/x/ f", "sed -i 5s/5/y/ f"], Left(&["f"], "no rule")),
    kind("adjacent lines", [NINE, "sed -i 5s/5/x/ f", "sed -i 6s/6/y/ f"], Left(&["f"], "no rule")),
    kind("renamed and edited", [NINE, "git mv f g", "sed -i 5s/5/y/ f"], Tree("sed -i 5s/5/y/ g")),
    kind("renamed to the same", [NINE, "git mv f g", "git mv f g"], Tree(":")),
    kind(
        "renamed to different names",
        [NINE, "git mv f g", "git mv f h"],
        Left(&["f", "g", "h"], "names are in question"),
    ),
    ruled(
        "renamed to different names, by a rule of paths",
        [NINE, "git mv f g", "git mv f h"],
        &[("**", Use::Ours)],
        Left(&["f", "g", "h"], "names are in question"),
    ),
    kind("renamed and deleted", [NINE, "git mv f g", "git rm -q f"], Left(&["g"], "names are in question")),
    kind("deleted and edited", [NINE, "git rm -q f", "sed -i 5s/5/y/ f"], Left(&["f"], "no rule")),
    ruled(
        "deleted and edited, theirs",
        [NINE, "git rm -q f", "sed -i 5s/5/y/ f"],
        &[("f", Use::Theirs)],
        Solved("seq 9 > f; sed -i 5s/5/y/ f", &[("f", "theirs")]),
    ),
    ruled(
        "deleted and edited, ours",
        [NINE, "git rm -q f", "sed -i 5s/5/y/ f"],
        &[("f", Use::Ours)],
        Solved(":", &[("f", "ours")]),
    ),
    ruled(
        "deleted and edited, lines of both",
        [NINE, "git rm -q f", "sed -i 5s/5/y/ f"],
        &[("f", Use::Union)],
        Left(&["f"], "not two texts"),
    ),
    kind(
        "a folder was renamed",
        ["mkdir d; for i in 1 2 3; do seq $i 9 > d/$i; done", "git mv d e", "echo n > d/n"],
        Left(&["e/n"], "names are in question"),
    ),
    kind(
        "a file and a folder",
        [":", "echo a > x", "mkdir x; echo b > x/y"],
        Left(&["x~*"], "names are in question"),
    ),
    kind("mode only", [NINE, "sed -i 5s/5/x/ f", "chmod +x f"], Tree("chmod +x f")),
    kind("the same mode", [NINE, "chmod +x f", "chmod +x f; sed -i 5s/5/x/ f"], Tree("sed -i 5s/5/x/ f")),
    ruled(
        "mode and content",
        [NINE, "sed -i 5s/5/x/ f", "sed -i 5s/5/y/ f; chmod +x f"],
        &[("f", Use::Union)],
        Solved("sed -i '5s/x/x\\ny/' f; chmod +x f", &[("f", "union")]),
    ),
    kind("a link and a file", [":", "ln -s a n", "echo a > n"], Left(&["n*"], "names are in question")),
    kind("link targets", ["ln -s a l", "ln -sfn b l", "ln -sfn c l"], Left(&["l"], "no rule")),
    ruled(
        "link targets, theirs",
        ["ln -s a l", "ln -sfn b l", "ln -sfn c l"],
        &[("l", Use::Theirs)],
        Solved("ln -sfn c l", &[("l", "theirs")]),
    ),
    kind(
        "submodule to the same commit",
        [
            SUB,
            "git update-index --cacheinfo 160000,2222222222222222222222222222222222222222,sub; : index",
            "git update-index --cacheinfo 160000,2222222222222222222222222222222222222222,sub; : index",
        ],
        Tree(": index"),
    ),
    kind(
        "submodule to different commits",
        [
            SUB,
            "git update-index --cacheinfo 160000,2222222222222222222222222222222222222222,sub; : index",
            "git update-index --cacheinfo 160000,3333333333333333333333333333333333333333,sub; : index",
        ],
        Left(&["sub"], "no rule"),
    ),
    kind("submodule added", [":", "echo a > a", SUB], Tree(SUB)),
    kind(
        "binary",
        ["printf 'a\\0b' > b", "printf 'a\\0c' > b", "printf 'a\\0d' > b"],
        Left(&["b"], "no rule"),
    ),
    ruled(
        "binary, lines of both",
        ["printf 'a\\0b' > b", "printf 'a\\0c' > b", "printf 'a\\0d' > b"],
        &[("b", Use::Union)],
        Left(&["b"], "it is binary"),
    ),
    ruled(
        "binary, theirs",
        ["printf 'a\\0b' > b", "printf 'a\\0c' > b", "printf 'a\\0d' > b"],
        &[("b", Use::Theirs)],
        Solved("printf 'a\\0d' > b", &[("b", "theirs")]),
    ),
    kind("line endings", [NINE, "sed -i 's/$/\\r/' f", "sed -i 5s/5/y/ f"], Left(&["f"], "no rule")),
    kind(
        "no text by attribute",
        ["seq 9 > f; echo 'f -text -merge' > .gitattributes", "sed -i 2s/2/x/ f", "sed -i 8s/8/y/ f"],
        Left(&["f"], "no rule"),
    ),
    kind("white space", [NINE, "sed -i '5s/5/5 /' f", "sed -i 5s/5/y/ f"], Left(&["f"], "no rule")),
    kind(
        "lines of both by attribute",
        ["seq 9 > f; echo 'f merge=union' > .gitattributes", "sed -i 5s/5/x/ f", "sed -i 5s/5/y/ f"],
        Tree("sed -i '5s/x/x\\ny/' f"),
    ),
    kind(
        "a driver by attribute",
        [
            "seq 9 > f; echo 'f merge=mine' > .gitattributes; git config merge.mine.driver true",
            "sed -i 5s/5/x/ f",
            "sed -i 5s/5/y/ f",
        ],
        Tree(":"),
    ),
    kind(
        "attributes that the user has not committed",
        [
            NINE,
            "sed -i 5s/5/x/ f; echo .gitattributes > .git/info/exclude; echo 'f merge=union' > .gitattributes",
            "sed -i 5s/5/y/ f",
        ],
        Left(&["f"], "no rule"),
    ),
    kind("names that differ in case", [":", "echo a > Name", "echo b > name"], Tree("echo b > name")),
    kind(
        "a name that is not UTF-8",
        [":", "echo a > a", "echo b > \"$(printf 'n\\377')\""],
        Tree("echo b > \"$(printf 'n\\377')\""),
    ),
    ruled(
        "a name that is not UTF-8, both",
        [":", "echo a > \"$(printf 'n\\377')\"", "echo b > \"$(printf 'n\\377')\""],
        &[("**", Use::Ours)],
        Left(&["n\u{fffd}"], "not UTF-8"),
    ),
    kind(
        "names with odd characters",
        [":", "echo a > \"$(printf 'x\\ty\\n\"z')\"", "echo b > \"$(printf 'x\\ty\\n\"z')\""],
        Left(&["x\ty\n\"z"], "no rule"),
    ),
    kind(
        "long paths",
        [LONG, "f=$(echo 0*/0*/0*/f); sed -i 2s/2/x/ $f", "f=$(echo 0*/0*/0*/f); sed -i 8s/8/y/ $f"],
        Tree("f=$(echo 0*/0*/0*/f); sed -i 8s/8/y/ $f"),
    ),
    kind("empty files", [":", ": > e", ": > e; : > g"], Tree(": > g")),
    kind("emptied and edited", [NINE, ": > f", "sed -i 5s/5/y/ f"], Left(&["f"], "no rule")),
    kind(
        "changelog",
        [LOG, "echo '- ours' >> CHANGELOG.md", "printf -- '- theirs\\n' >> CHANGELOG.md"],
        Solved("echo '- theirs' >> CHANGELOG.md", &[("CHANGELOG.md", "changelog")]),
    ),
    kind(
        "changelog whose entry was changed",
        [LOG, "sed -i 's/- one/- one, ours/' CHANGELOG.md", "sed -i 's/- one/- one, theirs/' CHANGELOG.md"],
        Left(&["CHANGELOG.md"], "more than add"),
    ),
    ruled(
        "changelog that a rule leaves to a person",
        [LOG, "echo '- a' >> CHANGELOG.md", "echo '- b' >> CHANGELOG.md"],
        &[("CHANGELOG.md", Use::Person)],
        Left(&["CHANGELOG.md"], "a rule leaves it"),
    ),
    ruled(
        "ours by path",
        [NINE, "sed -i 5s/5/x/ f", "sed -i 5s/5/y/ f"],
        &[("f", Use::Ours)],
        Solved(":", &[("f", "ours")]),
    ),
    ruled(
        "lines of both that cannot be read",
        ["echo '{\"a\": 1}' > f.json", "echo '{\"a\": 2}' > f.json", "echo '{\"a\": 3}' > f.json"],
        &[("*.json", Use::Union)],
        Left(&["f.json"], "cannot be read"),
    ),
    ruled(
        "lines of both that give a key twice",
        [
            "printf '{\\n\"z\": 1\\n}\\n' > f.json",
            "printf '{\\n\"a\": 2,\\n\"z\": 1\\n}\\n' > f.json",
            "printf '{\\n\"a\": 3,\\n\"z\": 1\\n}\\n' > f.json",
        ],
        &[("*.json", Use::Union)],
        Left(&["f.json"], "stands twice"),
    ),
    kind(
        "criss-cross",
        [
            NINE,
            "sed -i 2s/2/x/ f; git commit -qam x; git branch o; git switch -qc t HEAD~1; sed -i 8s/8/y/ f; git commit -qam y; git branch p; git switch -q main; git merge -q --no-edit p; git switch -q p; git merge -q --no-edit o; git switch -q main; seq 3 > ours",
            "git switch -q feature; git reset -q --hard p; seq 4 > theirs",
        ],
        Tree("seq 4 > theirs"),
    ),
    kind(
        "reverted and merged again",
        [
            NINE,
            "git merge -q --no-ff --no-edit feature; git revert -m1 --no-edit HEAD >/dev/null",
            "sed -i 5s/5/y/ f",
        ],
        AlreadySo,
    ),
    kind("merged before", [NINE, "git merge -q --no-ff --no-edit feature", "sed -i 5s/5/y/ f"], AlreadySo),
    kind(
        "the same change picked",
        [
            NINE,
            "sed -i 2s/2/x/ f; git commit -qam x; git cherry-pick feature >/dev/null; seq 2 > g",
            "sed -i 5s/5/y/ f",
        ],
        Tree(":"),
    ),
    kind(
        "another beginning",
        [
            NINE,
            "seq 8 > f",
            "git checkout -q --orphan o; git commit -qm o; git branch -f feature o; git switch -q feature",
        ],
        Fails("no common history"),
    ),
    kind(
        "left out of exports",
        ["seq 9 > f; echo 'f export-ignore' > .gitattributes", "sed -i 2s/2/x/ f", "sed -i 8s/8/y/ f"],
        Tree("sed -i 8s/8/y/ f"),
    ),
    kind(
        "hooks that fail",
        [
            NINE,
            "sed -i 2s/2/x/ f; git add -A; git commit -qm x; for h in pre-commit pre-merge-commit commit-msg prepare-commit-msg post-checkout post-merge; do printf '#!/bin/sh\\nexit 1\\n' > .git/hooks/$h; chmod +x .git/hooks/$h; done",
            "sed -i 8s/8/y/ f",
        ],
        Tree("sed -i 8s/8/y/ f"),
    ),
    kind(
        "sparse checkout",
        [
            "mkdir a b; seq 9 > a/f; seq 9 > b/f",
            "sed -i 2s/2/x/ b/f; git commit -qam x; git sparse-checkout set a",
            "sed -i 2s/2/y/ b/f",
        ],
        Left(&["b/f"], "no rule"),
    ),
];
