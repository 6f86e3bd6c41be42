//! Edits of the text of a workflow, each at the span of one thing: what stands around it stays as it is, byte for byte.

use std::fmt::Write as _;

use orchestrator_core::BoxError;

use super::file::{Way, Workflow, below, shown, to_job, to_step};
use super::node::{Node, Style};

impl Workflow {
    /// The column of a byte in its line.
    pub(super) fn column(&self, at: usize) -> usize {
        at - self.line(at)
    }

    /// The first byte of the line of a byte.
    fn line(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    /// The first byte of the line after that of a byte.
    fn next_line(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |end| at + end + 1)
    }

    /// After the last line of what begins in the line of `at` and is indented by more than `column`. Blank lines and
    /// comments count where more of it follows; with `lists`, dashes at the column itself belong to it.
    fn block_end(&self, at: usize, column: usize, lists: bool) -> usize {
        let mut end = self.next_line(at);
        let mut here = end;
        while here < self.text.len() {
            let next = self.next_line(here);
            let line = self.text[here..next].trim_end();
            let indent = line.len() - line.trim_start_matches(' ').len();
            let content = line.trim_start();
            let dash = content == "-" || content.starts_with("- ");
            let closes = content.starts_with([']', '}']);
            if content.is_empty() || (content.starts_with('#') && indent <= column) {
                // Whether it belongs here shows with what follows.
            } else if indent > column || (indent == column && ((lists && dash) || closes)) {
                end = next;
            } else {
                break;
            }
            here = next;
        }
        end
    }

    /// The line and column of the dash of an item of a block list.
    pub(super) fn dash(&self, item: &Way) -> Result<(usize, usize), BoxError> {
        let place = self.place(item)?;
        let mut line = self.line(place.start);
        loop {
            let text = self.text[line..self.next_line(line)].trim_end_matches('\n');
            let indent = text.len() - text.trim_start_matches(' ').len();
            let rest = &text[indent..];
            if (rest == "-" || rest.starts_with("- ")) && line + indent < place.start {
                return Ok((line, indent));
            }
            let passes = rest.is_empty() || rest.starts_with('#') || line == self.line(place.start);
            if line == 0 || !passes {
                return Err(format!(
                    "the dash of `{}` cannot be found; write the list with one item in a line",
                    shown(item)
                )
                .into());
            }
            line = self.line(line - 1);
        }
    }

    /// Inserts a step before the step at `index`, or at the end.
    pub(super) fn insert_step(&mut self, job: &str, index: usize, step: &Node) -> Result<(), BoxError> {
        let steps = below(&to_job(job), "steps");
        let count = self.at(&steps).and_then(serde_json::Value::as_array).map_or(0, Vec::len);
        if count == 0 {
            return Err(format!("job `{job}` has no steps to put one between").into());
        }
        let sibling = to_step(job, index.min(count - 1));
        let place = self.place(&sibling)?;
        let mut text = self.text.clone();
        if place.flow {
            let flow = step.flow();
            if index < count {
                text.insert_str(place.start, &format!("{flow}, "));
            } else {
                text.insert_str(place.end, &format!(", {flow}"));
            }
            return self.replace(&sibling, text);
        }
        let (line, column) = self.dash(&sibling)?;
        let style = Style { gap: self.gap(&sibling, column), ..self.nested() };
        let item = step.item(column, style);
        let spaced = self.spaced(job);
        if index < count {
            let at = self.above(line, column);
            text.insert_str(at, &if spaced { format!("{item}\n") } else { item });
        } else {
            let at = self.block_end(line, column, false);
            text.insert_str(at, &if spaced { format!("\n{item}") } else { item });
        }
        self.replace(&sibling, text)
    }

    /// Adds items of one line after the last item of a block list.
    pub(super) fn append_items(&mut self, last: &Way, items: &[Node]) -> Result<(), BoxError> {
        let (line, column) = self.dash(last)?;
        let style = Style { gap: self.gap(last, column), ..self.nested() };
        let at = self.block_end(line, column, false);
        let mut text = self.text.clone();
        text.insert_str(at, &items.iter().map(|item| item.item(column, style)).collect::<String>());
        self.replace(last, text)
    }

    /// Puts other steps in the place of one. Its comments stay, above them.
    pub(super) fn replace_step(&mut self, job: &str, index: usize, steps: &[Node]) -> Result<(), BoxError> {
        let way = to_step(job, index);
        let place = self.place(&way)?;
        let mut text = self.text.clone();
        if place.flow {
            let flow: Vec<String> = steps.iter().map(Node::flow).collect();
            text.replace_range(place.start..place.end, &flow.join(", "));
            return self.replace(&way, text);
        }
        let (line, column) = self.dash(&way)?;
        let end = self.block_end(line, column, false);
        let style = Style { gap: self.gap(&way, column), ..self.nested() };
        let between = if self.spaced(job) { "\n" } else { "" };
        let mut new = self.comments_in(line, end, column);
        new.push_str(&steps.iter().map(|step| step.item(column, style)).collect::<Vec<_>>().join(between));
        text.replace_range(line..end, &new);
        self.replace(&way, text)
    }

    /// Takes a step out. Its comments stay.
    pub(super) fn remove_step(&mut self, job: &str, index: usize) -> Result<(), BoxError> {
        let way = to_step(job, index);
        if self.place(&way)?.flow {
            return Err(format!(
                "the steps of job `{job}` are written in flow style (`[..]`); write them in lines first"
            )
            .into());
        }
        let (line, column) = self.dash(&way)?;
        let mut end = self.block_end(line, column, false);
        let comments = self.comments_in(line, end, column);
        // One of two blank lines around it goes with it.
        let blank = |from: usize| self.text[from..self.next_line(from)].trim().is_empty();
        if comments.is_empty()
            && line > 0
            && blank(self.line(line - 1))
            && end < self.text.len()
            && blank(end)
        {
            end = self.next_line(end);
        }
        let mut text = self.text.clone();
        text.replace_range(line..end, &comments);
        self.replace(&way, text)
    }

    /// The comments in these lines, each in a line of its own at this column.
    fn comments_in(&self, line: usize, end: usize, column: usize) -> String {
        let mut kept = String::new();
        let mut here = line;
        while here < end {
            let next = self.next_line(here);
            let text = self.text[here..next].trim();
            let comment = if text.starts_with('#') { Some(text) } else { self.trailing(here, next) };
            if let Some(comment) = comment {
                let _ = writeln!(kept, "{}{comment}", " ".repeat(column));
            }
            here = next;
        }
        kept
    }

    /// The comment at the end of a line.
    fn trailing(&self, line: usize, next: usize) -> Option<&str> {
        let text = &self.text[line..next];
        let found =
            text.match_indices(" #").find(|(at, _)| self.document.offset_inside_comment(line + at + 1));
        found.map(|(at, _)| text[at + 1..].trim_end())
    }

    /// `key: value` of a mapping, after the first of these keys that it has, else at its end.
    pub(super) fn add(
        &mut self,
        mapping: &Way,
        key: &str,
        node: &Node,
        after: &[&str],
    ) -> Result<(), BoxError> {
        let found = self.at(mapping).and_then(serde_json::Value::as_object);
        let Some(pairs) = found.filter(|pairs| !pairs.is_empty()) else {
            return Err(format!(
                "`{}` is no mapping with keys, so `{key}` cannot be added to it",
                shown(mapping)
            )
            .into());
        };
        let named = after.iter().find(|key| pairs.contains_key(**key)).map(|key| (*key).to_owned());
        let last = || {
            let starts = pairs
                .keys()
                .filter_map(|key| Some((self.place(&below(mapping, key.as_str())).ok()?.start, key)));
            starts.max().map(|(_, key)| key.clone())
        };
        let sibling =
            named.or_else(last).ok_or_else(|| format!("the keys of `{}` cannot be found", shown(mapping)))?;
        let place = self.place(&below(mapping, sibling.as_str()))?;
        let mut text = self.text.clone();
        if place.flow {
            let key = Node::text(key).flow();
            let end = place.start + self.text[place.start..place.end].trim_end().len();
            text.insert_str(end, &format!(", {key}: {}", node.flow()));
        } else {
            let column = self.column(place.start);
            let at = self.block_end(place.start, column, true);
            text.insert_str(at, &node.pair(key, column, self.nested()));
        }
        self.replace(&below(mapping, key), text)
    }

    /// Gives a key of a mapping another value; a comment at the end of its line stays.
    pub(super) fn set(&mut self, mapping: &Way, key: &str, node: &Node) -> Result<(), BoxError> {
        let way = below(mapping, key);
        let place = self.place(&way)?;
        let mut text = self.text.clone();
        if place.flow {
            let (start, end) = self.span(&way)?.ok_or_else(|| format!("`{}` has no value", shown(&way)))?;
            text.replace_range(start..end, &node.flow());
            return self.replace(&way, text);
        }
        let column = self.column(place.start);
        let next = self.next_line(place.start);
        let end = self.block_end(place.start, column, true);
        let colon = self.colon(&way, place.start)?;
        let first = self.span(&way)?.map_or(colon, |(start, _)| start);
        let comment = self.trailing(self.line(place.start), next).map(str::to_owned);
        let inner: String = if first >= next || end > next {
            // A value of several lines: its comments go above, but the lines of a script that look like ones go with it.
            self.comments_in(next, end, column)
        } else {
            String::new()
        };
        let mut value = node.value(column, self.nested());
        if let Some(comment) = comment.filter(|_| !matches!(node, Node::Uses(_))) {
            let break_at = value.find('\n').unwrap_or(value.len());
            value.insert_str(break_at, &format!(" {comment}"));
        }
        text.replace_range(colon..end, &format!("{value}\n"));
        if !inner.is_empty() {
            let kept = lost(&inner, &value);
            let line = self.line(place.start);
            if self.text[line..place.start].trim().is_empty() {
                text.insert_str(line, &kept);
            } else if !kept.is_empty() {
                // The key stands after a dash: above the dash.
                let dash = self.text[line..].find('-').unwrap_or(0);
                let moved: String =
                    kept.lines().map(|line| format!("{}{}\n", " ".repeat(dash), line.trim())).collect();
                text.insert_str(line, &moved);
            }
        }
        self.replace(&way, text)
    }

    /// After the colon of a key.
    fn colon(&self, way: &Way, start: usize) -> Result<usize, BoxError> {
        let route = yamlpath::Route::from(way.clone());
        let key =
            self.document.query_key_only(&route).map_err(|error| format!("`{}`: {error}", shown(way)))?;
        let end = key.location.byte_span.1.max(start);
        let colon = self.text[end..].find(':').filter(|at| self.text[end..end + at].trim().is_empty());
        colon
            .map(|at| end + at + 1)
            .ok_or_else(|| format!("the colon of `{}` cannot be found", shown(way)).into())
    }

    /// Takes a key with a value of one line out of a mapping; a comment at the end of its line stays.
    pub(super) fn remove(&mut self, mapping: &Way, key: &str) -> Result<(), BoxError> {
        let way = below(mapping, key);
        let place = self.place(&way)?;
        let mut text = self.text.clone();
        if place.flow {
            let after = &self.text[place.end..];
            let comma = after.trim_start().strip_prefix(',').map(str::trim_start);
            match comma {
                Some(rest) => text.replace_range(place.start..self.text.len() - rest.len(), ""),
                None => {
                    let before = self.text[..place.start].trim_end();
                    text.replace_range(before.strip_suffix(',').unwrap_or(before).len()..place.end, "");
                }
            }
            return self.replace(&way, text);
        }
        let (line, column) = (self.line(place.start), self.column(place.start));
        let next = self.next_line(place.start);
        if self.block_end(place.start, column, true) > next {
            return Err(format!("`{}` has a value of several lines; take it out by hand", shown(&way)).into());
        }
        let comment = self.trailing(line, next).map(str::to_owned);
        let lead = &self.text[line..place.start];
        if lead.trim().is_empty() {
            let kept = comment.map(|comment| format!("{}{comment}\n", " ".repeat(column)));
            text.replace_range(line..next, &kept.unwrap_or_default());
            return self.replace(&way, text);
        }
        // It stands after the dash, so the next key moves there; what stands between goes above.
        let follower = self
            .follower(mapping, place.start)
            .ok_or_else(|| format!("`{}` is all there is", shown(&way)))?;
        let dash = lead.len() - lead.trim_start().len();
        let mut kept = comment.map(|comment| format!("{}{comment}\n", " ".repeat(dash))).unwrap_or_default();
        kept.push_str(&self.comments_in(next, self.line(follower), dash));
        let lead = lead.to_owned();
        text.replace_range(line..follower, &format!("{kept}{lead}"));
        self.replace(&way, text)
    }

    /// Where the key after this byte begins.
    fn follower(&self, mapping: &Way, start: usize) -> Option<usize> {
        let keys = self.at(mapping)?.as_object()?.keys();
        keys.filter_map(|key| Some(self.place(&below(mapping, key.as_str())).ok()?.start))
            .filter(|at| *at > start)
            .min()
    }

    /// Appends a job after the last one.
    pub(super) fn append_job(&mut self, id: &str, job: &Node) -> Result<(), BoxError> {
        let ids: Vec<String> = self.jobs().iter().map(|job| job.id.to_owned()).collect();
        let (Some(last), Some(first)) = (ids.last(), ids.first()) else {
            return Err("the file has no job to add one after".into());
        };
        let place = self.place(&to_job(last))?;
        if place.flow {
            return Err("the jobs are written in flow style (`{..}`); write them in lines first".into());
        }
        let column = self.column(place.start);
        let at = self.block_end(place.start, column, true);
        let spaced = ids.len() == 1 || {
            let second = self.place(&to_job(&ids[1]))?.start;
            let first = self.place(&to_job(first))?.start;
            let end = self.block_end(first, column, true);
            self.text[end..second.max(end)].lines().any(|line| line.trim().is_empty())
                && self.line(second) > end
        };
        let pair = job.pair(id, column, self.style());
        let mut text = self.text.clone();
        text.insert_str(at, &if spaced { format!("\n{pair}") } else { pair });
        self.replace(&to_job(id), text)
    }

    /// Adds a key of the file itself after another one, set apart as that is from what follows it.
    pub(super) fn add_top(&mut self, key: &str, node: &Node, after: &str) -> Result<(), BoxError> {
        let place = self.place(&below(&Vec::new(), after))?;
        if place.flow {
            return self.add(&Vec::new(), key, node, &[after]);
        }
        let at = self.block_end(place.start, self.column(place.start), true);
        let blank = self.text[at..self.next_line(at)].trim().is_empty() && at < self.text.len();
        let pair = node.pair(key, self.column(place.start), self.style());
        let mut text = self.text.clone();
        text.insert_str(at, &if blank { format!("\n{pair}") } else { pair });
        self.replace(&below(&Vec::new(), key), text)
    }

    /// The line above which something is inserted before the line of a dash: comments right above belong to what follows.
    fn above(&self, line: usize, column: usize) -> usize {
        let mut at = line;
        while at > 0 {
            let before = self.line(at - 1);
            let text = self.text[before..at].trim_end();
            let indent = text.len() - text.trim_start().len();
            if !text.trim_start().starts_with('#') || indent != column {
                break;
            }
            at = before;
        }
        at
    }

    /// Whether a blank line stands between most steps of a job; of a job with one step, of the whole file.
    fn spaced(&self, job: &str) -> bool {
        let own = self.blanks(job);
        let jobs = self.jobs();
        let all = jobs
            .iter()
            .map(|job| self.blanks(job.id))
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let (blank, of) = if own.1 == 0 { all } else { own };
        blank * 2 > of
    }

    /// How many steps of a job but the first have a blank line before them, of how many.
    fn blanks(&self, job: &str) -> (usize, usize) {
        let count =
            self.at(&below(&to_job(job), "steps")).and_then(serde_json::Value::as_array).map_or(0, Vec::len);
        let blank = (1..count).filter(|index| {
            let Ok((line, column)) = self.dash(&to_step(job, *index)) else { return false };
            let at = self.above(line, column);
            at > 0 && self.text[self.line(at - 1)..at].trim().is_empty()
        });
        (blank.count(), count.saturating_sub(1))
    }

    /// Columns from the dash of an item to what it introduces.
    fn gap(&self, item: &Way, dash: usize) -> usize {
        let start = self.place(item).map_or(dash + 2, |place| self.column(place.start));
        start.saturating_sub(dash).clamp(2, 8)
    }

    /// The style of what stands in steps: the width is that of their own mappings where some show it.
    fn nested(&self) -> Style {
        let mut style = self.style();
        for job in self.jobs() {
            for step in job.steps() {
                let way = to_step(job.id, step.index);
                for key in ["with", "env"] {
                    let Some(first) = step.value[key].as_object().and_then(|pairs| pairs.keys().next())
                    else {
                        continue;
                    };
                    let outer = below(&way, key);
                    let (Ok(key), Ok(inner)) =
                        (self.place(&outer), self.place(&below(&outer, first.as_str())))
                    else {
                        continue;
                    };
                    if !inner.flow && self.line(key.start) < self.line(inner.start) {
                        style.width = self.column(inner.start).saturating_sub(self.column(key.start)).max(1);
                        return style;
                    }
                }
            }
        }
        style
    }
}

/// The comment lines that a new value does not hold itself.
fn lost(comments: &str, value: &str) -> String {
    let held = |comment: &str| value.lines().any(|line| line.trim() == comment.trim());
    comments.lines().filter(|line| !held(line)).map(|line| format!("{line}\n")).collect()
}
