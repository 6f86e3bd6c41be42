//! Which format a report has: told by its content, since names differ.

use super::{Report, cobertura, coverage_py, istanbul, lcov};

/// A format of coverage reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::checkpoint) enum Format {
    /// lcov's tracefile (`geninfo(1)`).
    Lcov,
    /// Cobertura's XML, also written by coverage.py and Istanbul.
    Cobertura,
    /// Istanbul's `coverage-summary.json`.
    IstanbulSummary,
    /// Istanbul's `coverage-final.json`.
    IstanbulFinal,
    /// coverage.py's JSON.
    CoveragePy,
}

impl Format {
    /// What people call it.
    pub(in crate::checkpoint) fn as_str(self) -> &'static str {
        match self {
            Self::Lcov => "lcov",
            Self::Cobertura => "Cobertura",
            Self::IstanbulSummary => "Istanbul summary",
            Self::IstanbulFinal => "Istanbul",
            Self::CoveragePy => "coverage.py",
        }
    }

    /// Reads a report of any format. The error says what is wrong with it, without its name.
    pub(in crate::checkpoint) fn read(text: &str) -> Result<(Self, Report), String> {
        let text = text.trim_start_matches('\u{feff}');
        let (format, report) = match text.trim_start().chars().next() {
            None => return Err("it is empty".into()),
            Some('<') => (Self::Cobertura, cobertura::read(text)?),
            Some('{') => Self::json(text)?,
            Some(_) => (Self::Lcov, lcov::read(text)?),
        };
        report.totals()?;
        Ok((format, report))
    }

    /// The shape of the first value tells JSON formats apart.
    fn json(text: &str) -> Result<(Self, Report), String> {
        if let Some(report) = coverage_py::read(text)? {
            return Ok((Self::CoveragePy, report));
        }
        if let Some(report) = istanbul::summary(text)? {
            return Ok((Self::IstanbulSummary, report));
        }
        Ok((Self::IstanbulFinal, istanbul::full(text)?))
    }
}
