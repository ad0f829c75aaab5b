//! A model's endpoints as one shared list, and one of them as a handle that keeps the list alive: a
//! plan over dozens of endpoints is made without copying any of them. What an endpoint is, is the
//! vocabulary's.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    slice,
    sync::Arc,
};

use waystation_core::Endpoint;

/// The endpoints of one model. Used like the list that it is; a change copies the list first, where
/// it is shared.
///
/// ```
/// let catalog = waystation_catalog::Catalog::bundled()?;
/// let endpoints = &catalog.model("openai/gpt-5.4").unwrap().endpoints;
/// let kept = endpoints.shared(0).unwrap();
/// assert_eq!(*kept, endpoints[0]);
/// # Ok::<(), waystation_catalog::CatalogError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Endpoints(Arc<Vec<Endpoint>>);

/// One endpoint of a list, which it keeps alive. A copy shares it.
#[derive(Clone)]
pub struct SharedEndpoint {
    list: Arc<Vec<Endpoint>>,
    /// Always within the list.
    at: usize,
}

// === impl Endpoints ===

impl Endpoints {
    /// The endpoint at this place, as a handle.
    #[must_use]
    pub fn shared(&self, at: usize) -> Option<SharedEndpoint> {
        let list = Arc::clone(&self.0);
        (at < list.len()).then_some(SharedEndpoint { list, at })
    }
}

impl Deref for Endpoints {
    type Target = Vec<Endpoint>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Endpoints {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl From<Vec<Endpoint>> for Endpoints {
    fn from(list: Vec<Endpoint>) -> Self {
        Self(Arc::new(list))
    }
}

impl<'a> IntoIterator for &'a Endpoints {
    type Item = &'a Endpoint;
    type IntoIter = slice::Iter<'a, Endpoint>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a mut Endpoints {
    type Item = &'a mut Endpoint;
    type IntoIter = slice::IterMut<'a, Endpoint>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

// === impl SharedEndpoint ===

impl Deref for SharedEndpoint {
    type Target = Endpoint;

    #[expect(
        clippy::indexing_slicing,
        reason = "`at` is within the list: the only two ways to make one see to it"
    )]
    fn deref(&self) -> &Endpoint {
        &self.list[self.at]
    }
}

/// The endpoint by itself, as another process sends it.
impl From<Endpoint> for SharedEndpoint {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            list: Arc::new(vec![endpoint]),
            at: 0,
        }
    }
}

impl PartialEq for SharedEndpoint {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for SharedEndpoint {}

impl fmt::Debug for SharedEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
