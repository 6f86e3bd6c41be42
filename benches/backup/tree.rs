//! A tree of text that packs as source does: words of a small language, some much more often than others.

use std::fs;
use std::path::Path;

/// How many files.
pub(crate) const FILES: usize = 15_000;
/// Their size on average.
const SIZE: f64 = 13_300.0;
/// How many files are in a folder.
const IN_FOLDER: usize = 25;

/// A small generator (`SplitMix64`, public domain).
struct Random(u64);

impl Random {
    /// A number from 0 up to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    }

    /// A number that is mostly small, with this mean.
    #[expect(clippy::cast_sign_loss, reason = "the logarithm of less than 1 is negative")]
    fn rare(&mut self, mean: f64) -> usize {
        (-(1.0 - self.next()).max(1e-12).ln() * mean) as usize
    }

    #[expect(clippy::cast_sign_loss, reason = "never negative")]
    fn below(&mut self, end: usize) -> usize {
        ((self.next() * end as f64) as usize).min(end - 1)
    }
}

/// Makes the tree; gives its bytes.
pub(crate) fn make(root: &Path) -> u64 {
    let mut random = Random(7);
    let words: Vec<String> = (0..20_000).map(|_| word(&mut random)).collect();
    let mut bytes = 0;
    for file in 0..FILES {
        let folder = root.join(format!("m{:02}/p{:03}", file / 1000, file / IN_FOLDER));
        fs::create_dir_all(&folder).unwrap();
        let text = text(&mut random, &words);
        fs::write(folder.join(format!("f{file}.rs")), &text).unwrap();
        bytes += text.len() as u64;
    }
    bytes
}

fn word(random: &mut Random) -> String {
    let length = 2 + random.below(11);
    (0..length).map(|_| char::from(b'a' + random.below(26) as u8)).collect()
}

fn text(random: &mut Random, words: &[String]) -> String {
    let length = random.rare(SIZE) + 50;
    let mut text = String::with_capacity(length + 100);
    while text.len() < length {
        text.push_str(&"    ".repeat(random.below(5)));
        for _ in 0..=random.below(9) {
            text.push_str(&words[random.rare(900.0).min(words.len() - 1)]);
            text.push(' ');
        }
        text.push_str(["(", ");", ",", " {", "}", ";", ""][random.below(7)]);
        text.push('\n');
    }
    text
}
