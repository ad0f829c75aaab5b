//! Writes messages with the text of files in the files' places.
//!
//! Messages without files are copied byte for byte, so that what an upstream has cached stays cached; of
//! the others only the parts that are files change. A `cache_control` of a file's part stays with its
//! text.

use waystation_core::{ChatRequest, Json, Kind, ObjectWriter, RawJson};

use super::{attachment::Attachment, ocr::MOST_IMAGES};

/// Puts the text of the files that are to be sent in their places. Annotations of files that came
/// back with assistant messages stay here.
///
/// Pictures that OCR found go with the text of models that look at pictures, [`MOST_IMAGES`] in all.
pub(super) fn in_place(chat: &mut ChatRequest, files: &[Attachment], sent: &[usize], looks: bool) {
    let Some(messages) = chat.get("messages") else {
        return;
    };
    let mut images = if looks { MOST_IMAGES } else { 0 };
    // In the order of their places, as they were found.
    let sent: Vec<&Attachment> = sent.iter().filter_map(|file| files.get(*file)).collect();
    let mut out = vec![b'['];
    for (at, message) in messages.elements().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let begin = sent.partition_point(|file| file.place.0 < at);
        let end = sent.partition_point(|file| file.place.0 <= at);
        let here = sent.get(begin..end).unwrap_or_default();
        write_message(message, here, &mut images, &mut out);
    }
    out.push(b']');
    if let Ok(messages) = RawJson::parse(&out.into()) {
        chat.set("messages", messages);
    }
}

fn write_message(message: Json<'_>, files: &[&Attachment], images: &mut usize, out: &mut Vec<u8>) {
    let annotated = message.get("annotations").is_some();
    if files.is_empty() && !annotated {
        out.extend_from_slice(message.bytes());
        return;
    }
    let mut object = ObjectWriter::open(out);
    for (key, value) in message.members() {
        if key.is("annotations") {
            let others: Vec<Json<'_>> = value.elements().filter(|note| !is_file(*note)).collect();
            if !others.is_empty() {
                write_list(object.escaped_key(key.escaped()), &others);
            }
            continue;
        }
        let out = object.escaped_key(key.escaped());
        if key.is("content") && value.kind() == Kind::Array && !files.is_empty() {
            write_parts(value, files, images, out);
        } else {
            out.extend_from_slice(value.bytes());
        }
    }
    object.close();
}

/// Whether an annotation is of a file, and so of this plugin.
fn is_file(note: Json<'_>) -> bool {
    note.get("type").is_some_and(|kind| kind.is("file"))
}

fn write_list(out: &mut Vec<u8>, items: &[Json<'_>]) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(item.bytes());
    }
    out.push(b']');
}

fn write_parts(content: Json<'_>, files: &[&Attachment], images: &mut usize, out: &mut Vec<u8>) {
    out.push(b'[');
    for (at, part) in content.elements().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let here = files.binary_search_by_key(&at, |file| file.place.1);
        let here = here.ok().and_then(|at| files.get(at));
        let read = here.and_then(|file| file.content());
        let Some(read) = read else {
            out.extend_from_slice(part.bytes());
            continue;
        };
        let mut object = ObjectWriter::open(out);
        object.string("type", "text").string("text", &read.text);
        if let Some(cache) = part.get("cache_control") {
            object.raw("cache_control", cache.bytes());
        }
        object.close();
        for image in read.images.iter().take(*images) {
            out.push(b',');
            write_image(image, out);
        }
        *images -= read.images.len().min(*images);
    }
    out.push(b']');
}

/// A picture as models take it, and as annotations hold it.
pub(super) fn write_image(image: &str, out: &mut Vec<u8>) {
    let mut part = ObjectWriter::open(out);
    part.string("type", "image_url");
    let mut address = part.object("image_url");
    address.string("url", image);
    address.close();
    part.close();
}
