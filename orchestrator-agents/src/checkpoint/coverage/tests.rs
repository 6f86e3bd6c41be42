//! Captures of real tools, with counts that were counted by hand in what they print for people; then texts made to break
//! readers.

use super::{Counts, Format, Measure, Report};

const VITEST_LCOV: &str = include_str!("../../../fixtures/coverage/vitest.lcov");
const VITEST_COBERTURA: &str = include_str!("../../../fixtures/coverage/vitest.cobertura.xml");
const VITEST_SUMMARY: &str = include_str!("../../../fixtures/coverage/vitest.coverage-summary.json");
const VITEST_FINAL: &str = include_str!("../../../fixtures/coverage/vitest.coverage-final.json");
const PYTHON_XML: &str = include_str!("../../../fixtures/coverage/coverage_py.xml");
const PYTHON_JSON: &str = include_str!("../../../fixtures/coverage/coverage_py.json");
const PYTHON_LCOV: &str = include_str!("../../../fixtures/coverage/coverage_py.lcov");

fn read(text: &str) -> (Format, Report) {
    Format::read(text).unwrap()
}

fn error(text: &str) -> String {
    Format::read(text).unwrap_err()
}

/// `lines 8/16, branches 2/4`.
fn counted(text: &str) -> String {
    let totals = read(text).1.totals().unwrap();
    let counts = Measure::ALL.iter().filter_map(|measure| Some((measure, totals.of(*measure)?)));
    let counts: Vec<String> =
        counts.map(|(measure, Counts { covered, total })| format!("{measure} {covered}/{total}")).collect();
    counts.join(", ")
}

#[test]
fn all_formats_of_one_run_of_vitest_agree() {
    // `never.ts` has 3 lines and none covered, `price.ts` 13 and 8.
    assert_eq!(counted(VITEST_LCOV), "lines 8/16, branches 2/4, functions 1/3");
    assert_eq!(counted(VITEST_COBERTURA), "lines 8/16, branches 2/4, functions 1/3");
    assert_eq!(counted(VITEST_SUMMARY), "lines 8/16, branches 2/4, functions 1/3, statements 8/16");
    assert_eq!(counted(VITEST_FINAL), "lines 8/16, branches 2/4, functions 1/3, statements 8/16");
    let formats = [VITEST_LCOV, VITEST_COBERTURA, VITEST_SUMMARY, VITEST_FINAL].map(|text| read(text).0);
    assert_eq!(formats, [Format::Lcov, Format::Cobertura, Format::IstanbulSummary, Format::IstanbulFinal]);
    let paths: Vec<String> = read(VITEST_SUMMARY).1.sources.into_iter().map(|source| source.path).collect();
    assert_eq!(paths, ["/home/ada/tiny/src/never.ts", "/home/ada/tiny/src/price.ts"]);
    assert_eq!(read(VITEST_COBERTURA).1.folders, ["/home/ada/tiny"]);
}

#[test]
fn all_formats_of_one_run_of_coverage_py_agree() {
    // 9 statements, 3 missed; both ways of line 2 were taken, none of line 9.
    assert_eq!(counted(PYTHON_XML), "lines 6/9, branches 2/4");
    assert_eq!(counted(PYTHON_JSON), "lines 6/9, branches 2/4");
    assert_eq!(counted(PYTHON_LCOV), "lines 6/9, branches 2/4, functions 1/2");
    assert_eq!(read(PYTHON_JSON).0, Format::CoveragePy);
}

#[test]
fn a_line_counts_once_however_often_it_is_told() {
    let record = "TN:a\nSF:x.c\nDA:1,0\nDA:2,1,checksum\nend_of_record\n";
    let again = "TN:b\nSF:x.c\nDA:1,5\nDA:2,0\nend_of_record\n";
    assert_eq!(counted(&format!("{record}{again}")), "lines 2/2, branches 0/0, functions 0/0");
    let nested = r#"<coverage><packages><package><classes>
        <class filename="A.java"><lines><line number="1" hits="0"/><line number="2" hits="0" condition-coverage="50% (1/2)"/></lines></class>
        <class filename="A.java"><lines><line number="1" hits="3"/><line number="2" hits="1" condition-coverage="100% (2/2)"/></lines></class>
        </classes></package></packages></coverage>"#;
    assert_eq!(counted(nested), "lines 2/2, branches 2/2");
    let statements = r#"{"/a.ts":{"statementMap":{"0":{"start":{"line":1}},"1":{"start":{"line":1}},"2":{"start":{"line":2}}},
        "s":{"0":0,"1":4,"2":0},"f":{"0":1},"b":{"0":[1,0],"1":[0]}}}"#;
    assert_eq!(counted(statements), "lines 1/2, branches 1/3, functions 1/1, statements 1/3");
}

#[test]
fn sums_count_where_nothing_is_listed() {
    let text = "SF:a\nLF:10\nLH:7\nBRF:4\nBRH:4\nFNF:1\nFNH:0\nend_of_record\n";
    assert_eq!(counted(text), "lines 7/10, branches 4/4, functions 0/1");
    // What is listed counts, whatever the sums claim.
    assert_eq!(
        counted("SF:a\nDA:1,0\nLF:1\nLH:1\nend_of_record\n"),
        "lines 0/1, branches 0/0, functions 0/0"
    );
    assert_eq!(
        counted("SF:a\nFN:1,9,name\nFNDA:2,name\nBRDA:1,0,f(a,b),-\nend_of_record\n"),
        "lines 0/0, branches 0/1, functions 1/1"
    );
}

#[test]
fn what_is_cut_off_counts_nothing() {
    let half = |text: &str| text[..text.floor_char_boundary(text.len() * 2 / 3)].to_owned();
    assert!(
        error(&half(VITEST_LCOV)).contains("line 29 is malformed: `DA:6,`"),
        "{}",
        error(&half(VITEST_LCOV))
    );
    let lines = &VITEST_LCOV[..VITEST_LCOV.find("LF:13").unwrap()];
    assert!(error(lines).contains("cut off"), "{}", error(lines));
    for text in [VITEST_COBERTURA, PYTHON_XML] {
        let error = error(&half(text));
        assert!(error.contains("cut off") || error.contains("no XML"), "{error}");
    }
    for text in [VITEST_SUMMARY, VITEST_FINAL, PYTHON_JSON] {
        assert!(error(&half(text)).contains("no coverage report"), "{}", error(&half(text)));
    }
    // At any byte: an error or, where only white space is missing, the same.
    for text in [VITEST_LCOV, VITEST_COBERTURA, VITEST_SUMMARY, PYTHON_XML] {
        for cut in (0..text.len()).step_by(7) {
            if let Ok((_, report)) = Format::read(&text[..cut]) {
                assert!(
                    text[cut..].trim().is_empty() || report.sources.len() < read(text).1.sources.len(),
                    "{cut}"
                );
            }
        }
    }
}

#[test]
fn hostile_texts_are_refused_and_say_why() {
    let deep = format!("<coverage>{}", "<a>".repeat(100_000));
    let bomb = "<!DOCTYPE coverage [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><coverage><sources><source>&b;</source></sources></coverage>";
    let nested = format!("{}1{}", "{\"a\":".repeat(1000), "}".repeat(1000));
    for (text, why) in [
        ("", "empty"),
        (" \n", "empty"),
        ("hello", "none of lcov"),
        ("SF:a\nSF:b\n", "inside the record"),
        ("DA:1,1\n", "outside of any record"),
        ("end_of_record\n", "did not begin"),
        ("TN:\n", "no record"),
        ("SF:a\nDA:1,-5\nend_of_record\n", "malformed"),
        ("SF:a\nDA:1,99999999999999999999999\nend_of_record\n", "malformed"),
        ("SF:a\nDA:one,1\nend_of_record\n", "malformed"),
        ("SF:a\nLF:1\nLH:2\nend_of_record\n", "2 of 1"),
        (
            "SF:a\nLF:18446744073709551615\nLH:0\nend_of_record\nSF:b\nLF:1\nLH:0\nend_of_record\n",
            "too large",
        ),
        (bomb, "refused"),
        ("<coverage><sources><source>&evil;</source></sources></coverage>", "refused"),
        ("<!DOCTYPE html><html></html>", "not Cobertura's"),
        ("<coverage/>", "no `class`"),
        (&deep, "deeper"),
        ("<coverage><class/></coverage>", "names no file"),
        ("<coverage><class filename='a'><line number='1' hits='x'/></class></coverage>", "hits"),
        ("<coverage><class filename='a'><line number='1'/></class></coverage>", "no `hits`"),
        (
            "<coverage><class filename='a'><line number='1' hits='1' condition-coverage='200% (4/2)'/></class></coverage>",
            "malformed",
        ),
        ("{}", "no file"),
        ("{\"total\":{}}", "no coverage report"),
        ("[1]", "none of lcov"),
        (&nested, "no coverage report"),
        (r#"{"/a":{"statementMap":{},"s":{"0":1},"f":{},"b":{}}}"#, "does not place"),
        (r#"{"meta":{},"totals":{},"files":{}}"#, "no file"),
        (
            r#"{"meta":{},"totals":{},"files":{"a":{"summary":{"covered_lines":3,"num_statements":2}}}}"#,
            "3 of 2",
        ),
    ] {
        let error = error(text);
        let short: String = text.chars().take(60).collect();
        assert!(error.contains(why) && error.len() < 400, "{short}: {error}");
    }
    let lying = VITEST_SUMMARY.replacen("\"covered\":8", "\"covered\":16", 1);
    assert!(error(&lying).contains("its total says 16 of 16"), "{}", error(&lying));
}

#[test]
fn shares_are_cut_and_never_rounded_up() {
    assert_eq!(Counts { covered: 79_999, total: 100_000 }.percent(), Some(79.99));
    assert_eq!(Counts { covered: 2, total: 3 }.percent(), Some(66.66));
    assert_eq!(Counts { covered: 0, total: 0 }.percent(), None);
    assert_eq!(Counts { covered: u64::MAX, total: u64::MAX }.percent(), Some(100.0));
}
