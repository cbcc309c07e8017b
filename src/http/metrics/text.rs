//! Writes the text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write as _};

/// What to tell a reader of this format that it is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric does over time.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// It only rises, from nothing at the start of the process.
    Counter,
    /// It is as it is now.
    Gauge,
    /// It counts by size.
    Histogram,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Names of labels, with their values.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// A text in the making: metrics one after the other, each with all of its samples.
#[derive(Debug, Default)]
pub struct Text {
    text: String,
    name: &'static str,
}

impl Text {
    /// Begins a metric. The help is one line.
    pub fn metric(&mut self, kind: Kind, name: &'static str, help: &str) -> &mut Self {
        self.name = name;
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {}", kind.as_str()));
        self
    }

    /// Writes a sample of the metric that was begun last.
    pub fn sample(&mut self, labels: Labels<'_>, value: impl Display) -> &mut Self {
        self.suffixed("", labels, value)
    }

    /// Writes a sample if there is one.
    pub fn maybe(&mut self, labels: Labels<'_>, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.sample(labels, value),
            None => self,
        }
    }

    /// Writes a sample whose name goes on.
    pub fn suffixed(&mut self, suffix: &str, labels: Labels<'_>, value: impl Display) -> &mut Self {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let mut before = '{';
        for (name, value) in labels {
            self.text.push(before);
            self.text.push_str(name);
            self.text.push_str("=\"");
            self.escape(value);
            self.text.push('"');
            before = ',';
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        self.line(format_args!(" {value}"));
        self
    }

    /// Returns the text.
    pub fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("a string takes whatever is written");
    }

    fn escape(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                other => self.text.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_written_as_prometheus_reads_them() {
        let mut text = Text::default();
        text.metric(Kind::Gauge, "a", "What a is.").sample(&[], 1).maybe(&[], None::<u64>);
        text.metric(Kind::Histogram, "b", "What b is.").suffixed("_bucket", &[("f", "x\"\\\n"), ("le", "0.5")], 2).suffixed(
            "_sum",
            &[],
            0.25,
        );
        assert_eq!(
            text.finish(),
            "# HELP a What a is.\n# TYPE a gauge\na 1\n\
             # HELP b What b is.\n# TYPE b histogram\nb_bucket{f=\"x\\\"\\\\\\n\",le=\"0.5\"} 2\nb_sum 0.25\n"
        );
    }
}
