//! Request bodies, read whole within a limit.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

/// Why a body could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than allowed.
    #[error("the body is larger than {limit} bytes; see [server] max_body_bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The client stopped sending.
    #[error("the body ended early")]
    Broken,
}

/// How much of a body that is too large is still read, and thrown away, before it is refused: a
/// client that is cut off while it sends never sees the reason.
const PATIENCE: usize = 2;

/// Reads a body of at most `limit` bytes. One that arrives in one piece is not copied.
///
/// # Errors
/// [`BodyError`] when it is larger, or breaks off.
pub async fn read(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen > limit.saturating_mul(PATIENCE) {
            return Err(BodyError::TooLarge { limit });
        }
        if seen > limit {
            (first, rest) = (None, BytesMut::new());
            continue;
        }
        match &first {
            None if rest.is_empty() => first = Some(data),
            _ => {
                if let Some(first) = first.take() {
                    rest.reserve(first.len() + data.len());
                    rest.extend_from_slice(&first);
                }
                rest.extend_from_slice(&data);
            }
        }
    }
    if seen > limit {
        return Err(BodyError::TooLarge { limit });
    }
    Ok(first.unwrap_or_else(|| rest.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(sizes: &[usize]) -> Body {
        let pieces: Vec<Result<Bytes, std::convert::Infallible>> = sizes
            .iter()
            .map(|size| Ok(vec![b'x'; *size].into()))
            .collect();
        Body::from_stream(futures_util::stream::iter(pieces))
    }

    #[tokio::test]
    async fn the_limit_is_exact() {
        assert_eq!(read(pieces(&[4, 6]), 10).await.unwrap().len(), 10);
        assert_eq!(
            read(pieces(&[11]), 10).await,
            Err(BodyError::TooLarge { limit: 10 })
        );
        assert_eq!(
            read(pieces(&[6, 5]), 10).await,
            Err(BodyError::TooLarge { limit: 10 })
        );
        assert_eq!(
            read(pieces(&[30]), 10).await,
            Err(BodyError::TooLarge { limit: 10 })
        );
        assert_eq!(read(pieces(&[]), 10).await.unwrap().len(), 0);
    }
}
