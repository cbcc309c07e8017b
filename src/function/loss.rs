//! How much of what there was would be gone: one rule for a push, an upload and a folder that is emptied.

/// With fewer than this, a part that is gone was removed by hand.
const MANY: usize = 10;

/// How much would be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// As much as people remove by hand.
    Few,
    /// More than half of many.
    Most,
    /// Every one of several: nothing stays where it was.
    All,
}

impl Loss {
    /// Judges how many of so many are gone. What is new elsewhere does not count: files that all move are gone from where they were.
    pub fn of(before: usize, gone: usize) -> Self {
        if before > 1 && gone == before {
            Self::All
        } else if before >= MANY && gone * 2 > before {
            Self::Most
        } else {
            Self::Few
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_many_and_all_of_several_are_rarely_meant() {
        use Loss::{All, Few, Most};
        for (before, gone, loss) in [
            (0, 0, Few),
            (1, 1, Few),
            (2, 1, Few),
            (2, 2, All),
            (9, 8, Few),
            (9, 9, All),
            (10, 5, Few),
            (10, 6, Most),
            (10, 10, All),
            (11, 6, Most),
        ] {
            assert_eq!(Loss::of(before, gone), loss, "{gone} of {before}");
        }
    }
}
