//! The simulator behind the transport seam: what `--simulate` puts where the network would be.
//!
//! Opens no socket, whatever the request's address says.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use waystation_core::{
    Clock, Deadline, HttpRequest, HttpStream, Phase, SendLimits, Sent, Transport, TransportError,
};

use crate::{Pacing, SimReply, Simulator, reply};

/// A [`Transport`] that ends at a [`Simulator`].
///
/// It waits for every delay that the simulator's replies have: with
/// [`Simulator::with_pacing`]`(Pacing::Instant)` only scripted ones are left.
///
/// ```
/// use std::sync::Arc;
/// use waystation_core::Transport;
/// use waystation_sim::{SimTransport, Simulator};
///
/// let transport: Arc<dyn Transport> = Arc::new(SimTransport::new(Simulator::new(7)));
/// ```
pub struct SimTransport {
    /// What answers.
    simulator: Arc<Simulator>,
    /// Holds limits on the head, where there is one.
    clock: Option<Arc<dyn Clock>>,
}

// === impl SimTransport ===

impl SimTransport {
    /// A transport to `simulator`. [`SendLimits::head`] is left to the caller.
    #[must_use]
    pub fn new(simulator: impl Into<Arc<Simulator>>) -> Self {
        Self {
            simulator: simulator.into(),
            clock: None,
        }
    }

    /// Holds [`SendLimits::head`] by this clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The simulator behind it.
    #[must_use]
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }
}

#[async_trait]
impl Transport for SimTransport {
    async fn send(
        &self,
        request: HttpRequest,
        limits: SendLimits,
    ) -> Result<HttpStream, TransportError> {
        let reply = self.simulator.handle(&request);
        deliver(reply, limits.head, self.clock.as_deref()).await
    }
}

impl fmt::Debug for SimTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimTransport")
            .field("simulator", &self.simulator)
            .finish_non_exhaustive()
    }
}

/// Waits for the head of `reply`, at most till `deadline` where a clock can tell it.
pub(crate) async fn deliver(
    reply: SimReply,
    deadline: Option<Deadline>,
    clock: Option<&dyn Clock>,
) -> Result<HttpStream, TransportError> {
    let left = deadline
        .zip(clock)
        .map(|(deadline, clock)| deadline.left(clock.now().tick));
    match left {
        Some(left) if left < reply.delay => {
            reply::wait(left).await;
            Err(TransportError {
                phase: Phase::Head,
                sent: Sent::Maybe,
                timed_out: true,
                message: "the response did not begin in time".into(),
            })
        }
        _ => Ok(reply.into_stream(Pacing::Live).await),
    }
}
