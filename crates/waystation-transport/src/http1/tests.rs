//! The pure halves: what is a body and what is a head. They stand here, beside the files that they test,
//! since fuzzing takes those files as they are.

mod framing;
mod head;
