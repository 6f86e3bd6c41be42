//! Requests and answers of the stand-in, each held against the published schema.

use super::*;

/// Reads one request, answers it, and closes.
pub(super) fn serve(
    mut stream: UnixStream,
    inner: &Arc<Mutex<Inner>>,
    ends: &Condvar,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let (mut length, mut header) = (0, String::new());
    while reader.read_line(&mut header)? > 2 {
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        header.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = line.split(' ');
    let (method, target) =
        (words.next().unwrap_or_default().to_lowercase(), words.next().unwrap_or_default());
    let Some((status, kind, answer)) = answer(inner, ends, &method, target, &body) else { return Ok(()) };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes())?;
    if status != 204 && status != 304 {
        stream.write_all(&answer)?;
    }
    Ok(())
}

pub(super) type Answer = (u16, &'static str, Vec<u8>);

/// The published interface, read once.
fn published() -> &'static Published {
    static PUBLISHED: OnceLock<Published> = OnceLock::new();
    PUBLISHED.get_or_init(Published::read)
}

fn answer(
    inner: &Arc<Mutex<Inner>>,
    ends: &Condvar,
    method: &str,
    target: &str,
    body: &[u8],
) -> Option<Answer> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let published = published();
    // What it is may be asked without a version.
    let (version, path) = match path.strip_prefix("/v1.") {
        Some(rest) => {
            rest.split_once('/').map(|(version, path)| (Some(version), format!("/{path}"))).unwrap()
        }
        None => (None, path.to_owned()),
    };
    let known = match published.known(method, &path) {
        Ok(known) => known,
        Err(wrong) => {
            inner.lock().unwrap().wrong.push(wrong);
            return Some(said(404, "page not found"));
        }
    };
    if version.is_some_and(|version| version != "41") || version.is_none() && known.name != "SystemVersion" {
        let wrong =
            format!("{path} is asked in version {version:?}, and {} is published", published.version());
        inner.lock().unwrap().wrong.push(wrong);
    }
    let mut all = inner.lock().unwrap();
    all.asked.push(known.name.clone());
    all.wrong.extend(known.request(query, body));
    let trouble =
        all.troubles.get_mut(&known.name).filter(|(times, _)| *times > 0).map(|(times, trouble)| {
            *times -= 1;
            trouble.clone()
        });
    let answer = match &trouble {
        Some(Trouble::Refused(status, why)) => said(*status, why),
        Some(Trouble::Hangs) => {
            let _all = ends.wait_timeout_while(all, Duration::from_mins(1), |all| !all.over).unwrap();
            return None;
        }
        _ => all.carry_out(inner, &known.name, &path, &pairs(query), body),
    };
    let wrong = known.answer(answer.0, &answer.2);
    all.wrong.extend(wrong);
    (!matches!(trouble, Some(Trouble::Breaks))).then_some(answer)
}

pub(super) fn said(status: u16, why: &str) -> Answer {
    json_of(status, json!({ "message": why }))
}

pub(super) fn json_of(status: u16, value: Value) -> Answer {
    (status, "application/json", value.to_string().into_bytes())
}
