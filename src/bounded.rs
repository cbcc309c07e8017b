//! Bytes that are written up to a limit.

use std::io;

/// Takes what is written, as far as it fits. What does not is an error, so that whoever writes stops.
#[derive(Debug)]
pub struct BoundedWriter {
    bytes: Vec<u8>,
    limit: usize,
}

impl BoundedWriter {
    /// Takes so many bytes at most.
    pub fn new(limit: usize) -> Self {
        Self { bytes: Vec::with_capacity(128.min(limit)), limit }
    }

    /// Returns what was written: at most as many bytes as there may be.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl io::Write for BoundedWriter {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let room = self.limit - self.bytes.len();
        self.bytes.extend_from_slice(&part[..part.len().min(room)]);
        if part.len() > room { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(part.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_fits_is_taken_and_the_rest_is_an_error() {
        let mut writer = BoundedWriter::new(5);
        writer.write_all(b"abc").unwrap();
        writer.write_all(b"").unwrap();
        assert_eq!(writer.write_all(b"def").unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(writer.write_all(b"g").is_err());
        assert_eq!(writer.into_bytes(), b"abcde");
    }
}
