//! Temperature, `top_p`, `top_k` and stop sequences, within what the model and thinking allow. What
//! would be refused is left out with a note, since the answer is worth more than its temperature.
//!
//! - The wire's temperature ends at 1; higher ones become 1.
//! - Thinking takes a temperature of 1, a `top_p` from 0.95 up and no `top_k`.
//! - Models from 4.1 on take the temperature or `top_p`: the temperature stays.
//! - Models from 4.7 on take none of them.
//! - A `top_k` of 0 means "off" in the chat vocabulary, which is its absence here.
//! - Penalties, `seed`, `logit_bias` and `logprobs` have no counterpart and stay, silently, as the
//!   contract wants it for parameters that an endpoint does not take.

use waystation_core::{Kind, Note, ObjectWriter, Parameter};

use super::{generation::Generation, thinking::Mode};
use crate::{
    array::ArrayWriter,
    demand::{Demand, note},
};

/// The parameters, with what they are called on the wire, which is the same.
const NUMBERS: [Parameter; 3] = [Parameter::Temperature, Parameter::TopP, Parameter::TopK];

/// Writes what was sent, and what the endpoint and the model take.
pub(super) fn write(
    demand: &Demand<'_>,
    generation: Generation,
    mode: Mode,
    object: &mut ObjectWriter<'_>,
    notes: &mut Vec<Note>,
) {
    for parameter in NUMBERS {
        let name = parameter.as_str();
        let Some(value) = demand.get(parameter) else {
            continue;
        };
        let number = value.f64().unwrap_or_default();
        let usual = parameter == Parameter::Temperature && (number - 1.0).abs() < f64::EPSILON;
        let refused = if !generation.takes_sampling() {
            Some("left out: the model takes no sampling parameters")
        } else if mode.is_on() && !usual && (parameter != Parameter::TopP || number < 0.95) {
            Some("left out: it excludes reasoning")
        } else if parameter == Parameter::TopP
            && generation.takes_one_sampling()
            && demand.get(Parameter::Temperature).is_some()
        {
            Some("left out: the model takes it or the temperature, not both")
        } else {
            None
        };
        if let Some(what) = refused {
            note(notes, name, what);
        } else if parameter == Parameter::Temperature && number > 1.0 {
            note(notes, name, "lowered to 1, which is the most");
            demand.put(object, name, b"1");
        } else if parameter != Parameter::TopK || number > 0.0 {
            // A `top_k` of 0 means off, which is what its absence means here.
            demand.put(object, name, value.bytes());
        }
    }
    stop(demand, object, notes);
}

/// Stop sequences: a list, none of them blank.
fn stop(demand: &Demand<'_>, object: &mut ObjectWriter<'_>, notes: &mut Vec<Note>) {
    const NAME: &str = "stop_sequences";
    let Some(stop) = demand.get(Parameter::Stop) else {
        return;
    };
    if demand.own(NAME).is_some() {
        return;
    }
    let one = (stop.kind() == Kind::String).then_some(stop);
    let (mut list, mut blank) = (Vec::new(), false);
    let mut array = ArrayWriter::open(&mut list);
    for text in one.into_iter().chain(stop.elements()) {
        if text.has_words() {
            array.next().extend_from_slice(text.bytes());
        } else {
            blank = true;
        }
    }
    let empty = array.is_empty();
    array.close();
    if blank {
        note(
            notes,
            "stop",
            "left out where blank: the wire takes no blank ones",
        );
    }
    if !empty {
        object.raw(NAME, &list);
    }
}
