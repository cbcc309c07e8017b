//! Reads server-sent events: as much of the format as the node writes.

use std::io::{self, BufRead, BufReader, Read};

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// `execution`, `skipped`, …; empty where the node only says where to go on.
    pub name: String,
    /// Names its place in the stream.
    pub id: Option<String>,
    /// JSON.
    pub data: String,
}

/// Events as they come.
pub struct SseStream(BufReader<Box<dyn Read>>);

impl SseStream {
    /// Reads them from here.
    pub fn new(from: impl Read + 'static) -> Self {
        Self(BufReader::new(Box::new(from)))
    }

    /// Waits for the next one; none at the end.
    pub fn read(&mut self) -> io::Result<Option<SseEvent>> {
        let (mut event, mut line) = (SseEvent::default(), String::new());
        loop {
            line.clear();
            if self.0.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            match line.trim_end_matches(['\r', '\n']).split_once(": ") {
                Some(("event", name)) => event.name = name.into(),
                Some(("id", id)) => event.id = Some(id.into()),
                Some(("data", data)) => event.data = data.into(),
                Some(_) => {}
                None if line.trim_end().is_empty() && event != SseEvent::default() => return Ok(Some(event)),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_they_are_written() {
        let text =
            ": following\nretry: 1000\n\nid: 7\nevent: execution\ndata: {\"a\": \"b: c\"}\n\n: alive\nid: 8\n\nevent: ended\ndata: {}\n";
        let mut events = SseStream::new(text.as_bytes());
        let event = |name: &str, id: Option<&str>, data: &str| SseEvent { name: name.into(), id: id.map(Into::into), data: data.into() };
        assert_eq!(events.read().unwrap(), Some(event("execution", Some("7"), "{\"a\": \"b: c\"}")));
        assert_eq!(events.read().unwrap(), Some(event("", Some("8"), "")));
        // The last one was cut off.
        assert_eq!(events.read().unwrap(), None);
    }
}
