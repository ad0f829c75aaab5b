//! Log probabilities as OpenAI's two wires write them: plausible, and the same each time.

use waystation_core::{JsonText, ObjectWriter};

use super::answer::{array, object};
use crate::draw::{Draw, fold};

/// Writes the list for a run of pieces: each with its log probability and `top` alternatives. `id`
/// decides the numbers.
pub(super) fn list<'t>(
    id: u64,
    top: u64,
    pieces: impl Iterator<Item = &'t str>,
    out: &mut Vec<u8>,
) {
    array(out, pieces, |piece, out| {
        let mut draw = Draw::new(fold(id, piece.as_bytes()));
        let thousandths = draw.within(1, 900);
        object(out, |token| {
            one(token, piece, thousandths);
            array(token.key("top_logprobs"), 0..top, |rank, out| {
                let other = if rank == 0 {
                    piece.to_owned()
                } else {
                    format!("{piece}{rank}")
                };
                object(out, |entry| {
                    one(entry, &other, thousandths + rank * 1_500);
                });
            });
        });
    });
}

/// One token with its log probability of minus so many thousandths, and its bytes.
fn one(object: &mut ObjectWriter<'_>, token: &str, thousandths: u64) {
    let number = format!("-{}.{:03}", thousandths / 1000, thousandths % 1000);
    let bytes: Vec<String> = token.bytes().map(|byte| byte.to_string()).collect();
    object
        .text("token", &JsonText::of(token))
        .raw("logprob", number.as_bytes())
        .raw("bytes", format!("[{}]", bytes.join(",")).as_bytes());
}
