//! Writes the published vocabularies as the tokens that they are, packed: of all that `bpe-openai` embeds, the
//! program holds that alone, and builds its tables from it when it first needs them.

#[cfg(feature = "exact")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    let folder = std::path::Path::new(&folder);
    pack::write(&folder.join("cl100k"), bpe_openai::cl100k_base())?;
    pack::write(&folder.join("o200k"), bpe_openai::o200k_base())
}

#[cfg(not(feature = "exact"))]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}

#[cfg(feature = "exact")]
mod pack {
    use std::{
        collections::HashMap, error::Error, fs::File, io::Write as _, ops::Range, path::Path,
    };

    use bpe_openai::Tokenizer;
    use flate2::{Compression, write::DeflateEncoder};

    /// Ranks of tokens by their bytes.
    type Ranks<'v> = HashMap<&'v [u8], u32>;

    /// Four lists in the order of ranks: the tokens' lengths; the lengths of the longest other token that
    /// each begins with; the lengths of the first of the two that each was merged from, 0 for single bytes;
    /// and their bytes.
    pub(super) fn write(path: &Path, tokenizer: &Tokenizer) -> Result<(), Box<dyn Error>> {
        let count = u32::try_from(tokenizer.bpe.num_tokens())?;
        let tokens = (0..count).map(|rank| tokenizer.bpe.token_bytes(rank));
        let tokens: Vec<&[u8]> = tokens.collect();
        let ranks: Ranks<'_> = tokens.iter().copied().zip(0..).collect();
        let (mut lengths, mut heads, mut halves) = (Vec::new(), Vec::new(), Vec::new());
        for (token, rank) in tokens.iter().zip(0..) {
            let is_token = |length: &usize| rank_of(&ranks, token, 0..*length).is_some();
            let head = (1..token.len()).rev().find(is_token);
            lengths.push(u8::try_from(token.len())?);
            heads.push(u8::try_from(head.unwrap_or_default())?);
            halves.push(u8::try_from(half(token, rank, &ranks))?);
        }
        let mut packed = DeflateEncoder::new(File::create(path)?, Compression::best());
        packed.write_all(&count.to_le_bytes())?;
        for list in [lengths, heads, halves, tokens.concat()] {
            packed.write_all(&list)?;
        }
        packed.finish()?;
        Ok(())
    }

    /// Where the last merge of a token was: its bytes are merged, the lowest rank first, until two are left.
    fn half(token: &[u8], rank: u32, ranks: &Ranks<'_>) -> usize {
        let mut ends: Vec<usize> = (0..=token.len()).collect();
        while ends.len() > 3 {
            let pairs = ends.iter().zip(ends.iter().skip(2)).enumerate();
            let merges =
                pairs.filter_map(|(at, (from, to))| Some((rank_of(ranks, token, *from..*to)?, at)));
            let Some((_, at)) = merges.filter(|(merged, _)| *merged < rank).min() else {
                return 0;
            };
            ends.remove(at + 1);
        }
        match ends.as_slice() {
            [_, half, _] => *half,
            _ => 0,
        }
    }

    /// The token that a part of another one is.
    fn rank_of(ranks: &Ranks<'_>, token: &[u8], part: Range<usize>) -> Option<u32> {
        ranks.get(token.get(part)?).copied()
    }
}
