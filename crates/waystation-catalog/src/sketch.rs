//! A catalogue of a few lines, for trying things out. Its providers have no address that answers.

use waystation_core::{ModelId, Price, ProviderSlug};

use crate::{
    Catalog, CatalogError, Changes, EndpointChange, ModelChange, ProviderChange, RowError,
};

impl Catalog {
    /// Sketches a catalogue from rows of model, provider, and dollars per million tokens of prompt
    /// and completion. Providers speak `openai-chat`. [`with`](Self::with) takes it further.
    ///
    /// ```
    /// use waystation_catalog::Catalog;
    ///
    /// let catalog = Catalog::sketch([
    ///     ("acme/fast", "alpha", "0.10", "0.40"),
    ///     ("acme/fast", "beta", "0.20", "0.80"),
    ///     ("acme/big", "beta", "2", "8"),
    /// ])?;
    /// assert_eq!(catalog.model("acme/fast").unwrap().endpoints.len(), 2);
    /// # Ok::<(), waystation_catalog::CatalogError>(())
    /// ```
    ///
    /// # Errors
    /// [`CatalogError`] for a name that cannot be, or a price that is no decimal number.
    pub fn sketch<'r>(
        rows: impl IntoIterator<Item = (&'r str, &'r str, &'r str, &'r str)>,
    ) -> Result<Self, CatalogError> {
        let mut changes = Changes::default();
        for (number, (model, provider, prompt, completion)) in rows.into_iter().enumerate() {
            let wrong = |why: RowError| why.at(format!("rows[{number}]"));
            let slug: ProviderSlug = provider.parse().map_err(|e| wrong(RowError::Name(e)))?;
            let id: ModelId = model.parse().map_err(|e| wrong(RowError::Model(e)))?;
            let dollars = |text: &str| text.parse().map_err(|e| wrong(RowError::Money(e)));
            let mut endpoint = EndpointChange::new(slug.clone());
            endpoint.price = Price::simple(dollars(prompt)?, dollars(completion)?);
            if changes.providers.iter().all(|known| known.slug != slug) {
                let mut new = ProviderChange::new(slug);
                new.name = Some(provider.to_owned());
                new.dialect = Some(
                    "openai-chat"
                        .parse()
                        .map_err(|e| wrong(RowError::Name(e)))?,
                );
                new.base_url = Some(format!("https://{provider}.invalid/v1"));
                changes.providers.push(new);
            }
            match changes.models.iter_mut().find(|known| known.id == id) {
                Some(known) => known.endpoints.push(endpoint),
                None => {
                    let mut new = ModelChange::new(id);
                    new.endpoints.push(endpoint);
                    changes.models.push(new);
                }
            }
        }
        Ok(Self::empty().with(changes)?.0)
    }
}
