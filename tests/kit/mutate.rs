//! Makes an input from others: bytes and lines changed, taken out, repeated, and put in from elsewhere.

/// A generator of numbers that look random, and are the same for the same seed.
pub struct Random(u64);

impl Random {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % bound as u64) as usize
    }

    /// Returns one of several, of which there are some.
    pub fn one<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }

    /// Returns a part of something so long, nearly always a short one.
    fn part(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let most = if self.below(4) == 0 { length } else { 16 };
        start..length.min(start + self.below(most + 1))
    }
}

/// What breaks readers: ends of ranges, odd characters, marks of encodings, nesting.
const ODDITIES: [&[u8]; 30] = [
    b"",
    b"\0",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"%",
    b"%00",
    b"%2F",
    b"%2e%2e",
    b"..",
    b"//",
    b"\"",
    b"\\",
    b"\\u0000",
    b"{",
    b"[",
    b"0",
    b"-1",
    b"18446744073709551616",
    b"9223372036854775808",
    b"1e999",
    b"nan",
    "é".as_bytes(),
    "\u{feff}".as_bytes(),
    "\u{202e}𝕏\u{301}".as_bytes(),
];

/// Inputs grow no longer than this.
const MAX_BYTES: usize = 64 << 10;

/// Changes an input in one to eight ways, with material from the others.
pub fn mutate(random: &mut Random, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut input = input.to_vec();
    for _ in 0..=random.below(8) {
        change(random, &mut input, others);
    }
    input.truncate(MAX_BYTES);
    input
}

fn change(random: &mut Random, input: &mut Vec<u8>, others: &[Vec<u8>]) {
    let part = random.part(input.len());
    match random.below(9) {
        0 if !input.is_empty() => {
            let at = random.below(input.len());
            input[at] ^= 1 << random.below(8);
        }
        1 => drop(input.splice(part, [random.below(256) as u8])),
        2 => drop(input.drain(part)),
        3 => {
            let repeated = input[part.clone()].repeat(1 + random.below(3));
            input.splice(part.start..part.start, repeated);
        }
        // Deep nesting and long lists are where stacks and times end.
        4 if random.below(8) == 0 => {
            let repeated = input[part.clone()].repeat(1 + random.below(2000));
            input.splice(part.start..part.start, repeated.into_iter().take(MAX_BYTES));
        }
        5 => {
            let oddity = random.one(&ODDITIES).to_vec();
            input.splice(part, oddity);
        }
        6 => {
            let other = random.one(others);
            let taken = random.part(other.len());
            input.splice(part, other[taken].iter().copied());
        }
        7 => swap_words(random, input),
        _ => {
            let mut lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
            lines.extend(random.one(others).split_inclusive(|byte| *byte == b'\n'));
            if !lines.is_empty() {
                let line = *random.one(&lines);
                let at = lines[..random.below(lines.len())].iter().map(|line| line.len()).sum::<usize>().min(input.len());
                let line = line.to_vec();
                input.splice(at..at, line);
            }
        }
    }
}

/// Puts one word of the input in the place of another.
fn swap_words(random: &mut Random, input: &mut Vec<u8>) {
    let words: Vec<&[u8]> = input.chunk_by(|one, other| one.is_ascii_alphanumeric() == other.is_ascii_alphanumeric()).collect();
    if let [_, ..] = words[..] {
        let (from, to) = (random.below(words.len()), random.below(words.len()));
        let mut changed = words.clone();
        changed[to] = words[from];
        *input = changed.concat();
    }
}
