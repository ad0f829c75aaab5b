//! Makes inputs out of seeds: bytes flipped, pieces left out, said twice, swapped with another seed's,
//! or replaced by words that parsers stumble over. Small and blind; libFuzzer sees further.

/// What parsers stumble over.
const WORDS: &[&[u8]] = &[
    b"null",
    b"{}",
    b"[]",
    b"\"\"",
    b"-1",
    b"0.5",
    b"1e400",
    b"18446744073709551616",
    b"4294967296",
    b"true",
    b"\\ud800",
    b"\\u0000",
    b"\"error\"",
    b"\"index\":1,",
    b"\"choices\":[]",
    b"\"usage\":null",
    b"\n\n",
    b"\r\n",
    b"\r",
    b"data: ",
    b"data: [DONE]\n\n",
    b"event: error\n",
    b": c\n",
    b"\xEF\xBB\xBF",
    b"\xC3",
    b"\xFF",
    b"}",
    b"]",
    b"\"",
    b",",
];

/// The largest input, in bytes.
const MAX: usize = 1 << 15;

/// A small generator (xorshift64*): what matters is that runs can be repeated, not how random it is.
#[derive(Debug)]
pub(super) struct Dice(u64);

// === impl Dice ===

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// Below `bound`; 0 when that is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.next() % bound.max(1)).unwrap_or_default()
    }
}

/// One of the seeds, changed a few times.
pub(super) fn mutate(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let pick = |dice: &mut Dice| seeds.get(dice.below(seeds.len())).cloned();
    let mut input = pick(dice).unwrap_or_default();
    for _ in 0..=dice.below(5) {
        let at = dice.below(input.len() + 1);
        let most = dice.below(64);
        let length = dice.below(1 + most).min(input.len() - at);
        match dice.below(7) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            1 => drop(input.drain(at..at + length)),
            2 => {
                let piece: Vec<u8> = input.iter().skip(at).take(length).copied().collect();
                let to = dice.below(input.len() + 1);
                input.splice(to..to, piece);
            }
            3 => {
                let other = pick(dice).unwrap_or_default();
                let from = dice.below(other.len() + 1);
                let piece: Vec<u8> = other.into_iter().skip(from).take(length * 4).collect();
                input.splice(at..at + length, piece);
            }
            4 => {
                let word = WORDS
                    .get(dice.below(WORDS.len()))
                    .copied()
                    .unwrap_or_default();
                input.splice(at..at + length, word.iter().copied());
            }
            5 => lines(&mut input, dice),
            _ => number(&mut input, at, dice),
        }
        input.truncate(MAX);
    }
    input
}

/// Leaves a line out, says it twice, or puts it elsewhere.
fn lines(input: &mut Vec<u8>, dice: &mut Dice) {
    let mut lines: Vec<Vec<u8>> = input
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let line = lines.remove(dice.below(lines.len()));
    for _ in 0..dice.below(3) {
        lines.insert(dice.below(lines.len() + 1), line.clone());
    }
    *input = lines.join(&b'\n');
}

/// Replaces the number behind a place.
fn number(input: &mut Vec<u8>, at: usize, dice: &mut Dice) {
    let behind = input.iter().skip(at);
    let Some(start) = behind.clone().position(u8::is_ascii_digit) else {
        return;
    };
    let length = behind
        .skip(start)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let value = dice.next() >> dice.below(48);
    let start = at + start;
    input.splice(start..start + length, value.to_string().into_bytes());
}
