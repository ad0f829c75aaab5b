//! Rows as TOML for people: one fact a line, fields and rows in a fixed order, so that a diff shows
//! facts and nothing else. It writes texts; files are the tree's.

use std::fmt::Write;

use waystation_catalog::source::{
    AliasRow, EndpointRow, LatestRow, LicenseRow, ModelRow, OffPeakRow, PriceRow, ProviderRow,
    SpellingRow, Text, TierRow,
};

const MODELS: &str = "\
# Models of one author and who serves them. Prices are USD per million tokens, `request` in USD.
# An import rewrites this file; a field named in `pinned` stays as it is.
";

const PROVIDERS: &str = "\
# Providers: who serves models, and how they want to be spoken to. Kept by hand: an import adds those
# that are missing and touches no other. After a change: `cargo xtask catalog build`.
";

const ALIASES: &str = "\
# Other names of models: `~author/family-latest` (`latest`), and other spellings of ids (`alias`).
# An import rewrites `latest` rows that are not pinned; `alias` rows are kept by hand.
";

const LICENSES: &str = "\
# Licences of weights, and whether they let other models be trained on what the weights write. Kept by
# hand. It is said of the weights: the terms of a host that serves them may say otherwise.
";

/// Lines of one file.
struct Lines(String);

pub(super) fn models(rows: &[&ModelRow<'_>]) -> String {
    let mut out = Lines(MODELS.into());
    for row in rows {
        model(&mut out, row);
        for row in &row.endpoint {
            endpoint(&mut out, row);
        }
    }
    out.0
}

fn model(out: &mut Lines, row: &ModelRow<'_>) {
    out.table("[[model]]");
    out.text("id", Some(&row.id));
    out.text("canonical_slug", row.canonical_slug.as_ref());
    out.text("name", Some(&row.name));
    out.text("description", row.description.as_ref());
    out.text("created", row.created.as_ref());
    out.number("context_length", row.context_length);
    out.number("context_length_sources", row.context_length_sources);
    out.number("max_output", row.max_output);
    out.list("input", &row.input);
    out.list("output", &row.output);
    out.text("tokenizer", row.tokenizer.as_ref());
    out.flag("reasoning", row.reasoning);
    out.flag("reasoning_mandatory", row.reasoning_mandatory);
    out.text("reasoning_source", row.reasoning_source.as_ref());
    out.list("parameters", &row.parameters);
    out.flag("parameters_derived", row.parameters_derived);
    out.text("knowledge_cutoff", row.knowledge_cutoff.as_ref());
    out.text("expiration_date", row.expiration_date.as_ref());
    out.answer("open_weights", row.open_weights);
    out.text("license", row.license.as_ref());
    out.text("license_source", row.license_source.as_ref());
    out.flag("router", row.router);
    out.flag("deprecated", row.deprecated);
    out.list("sources", &row.sources);
    out.text("seen", Some(&row.seen));
    out.list("pinned", &row.pinned);
}

fn endpoint(out: &mut Lines, row: &EndpointRow<'_>) {
    out.table("[[model.endpoint]]");
    out.text("provider", Some(&row.provider));
    out.text("variant", row.variant.as_ref());
    out.text("model", Some(&row.model));
    out.text("dialect", row.dialect.as_ref());
    out.number("context_length", row.context_length);
    out.number("max_output", row.max_output);
    out.text("quantization", row.quantization.as_ref());
    out.figure("speed.throughput_tps", row.speed.throughput_tps);
    out.figure("speed.latency_s", row.speed.latency_s);
    out.text("speed.source", row.speed.source.as_ref());
    out.text("speed.seen", row.speed.seen.as_ref());
    price(out, "price", &row.price);
    tiers(out, &row.tiers);
    price(out, "batch", &row.batch);
    if let Some(hours) = &row.off_peak {
        off_peak(out, hours);
    }
    spellings(out, &row.spellings);
    out.text("confidence", Some(&row.confidence));
    out.flag("reseller", row.reseller);
    out.flag("trial", row.trial);
    out.flag("stale", row.stale);
    out.flag("volatile", row.volatile);
    out.text("retires", row.retires.as_ref());
    out.list("sources", &row.sources);
    out.text("seen", row.seen.as_ref());
    out.list("pinned", &row.pinned);
}

fn price(out: &mut Lines, key: &str, row: &PriceRow<'_>) {
    let charges = [
        ("prompt", &row.prompt),
        ("completion", &row.completion),
        ("cache_read", &row.cache_read),
        ("cache_write", &row.cache_write),
        ("cache_write_1h", &row.cache_write_1h),
        ("audio", &row.audio),
        ("reasoning", &row.reasoning),
        ("request", &row.request),
        ("image", &row.image),
        ("web_search", &row.web_search),
    ];
    for (name, charge) in charges {
        out.text(&format!("{key}.{name}"), charge.as_ref());
    }
}

fn off_peak(out: &mut Lines, row: &OffPeakRow<'_>) {
    out.text("off_peak.prompt", row.prompt.as_ref());
    out.text("off_peak.completion", row.completion.as_ref());
    out.text("off_peak.cache_read", row.cache_read.as_ref());
    out.list("off_peak.windows", &row.windows);
}

fn tiers(out: &mut Lines, rows: &[TierRow<'_>]) {
    let inline = rows.iter().map(|row| {
        let mut parts = vec![format!("above = {}", row.above)];
        push(&mut parts, "prompt", row.prompt.as_ref());
        push(&mut parts, "completion", row.completion.as_ref());
        push(&mut parts, "cache_read", row.cache_read.as_ref());
        push(&mut parts, "cache_write", row.cache_write.as_ref());
        parts
    });
    out.tables("tiers", inline.collect());
}

fn spellings(out: &mut Lines, rows: &[SpellingRow<'_>]) {
    let inline = rows.iter().map(|row| {
        let mut parts = Vec::new();
        push(&mut parts, "model", Some(&row.model));
        push(&mut parts, "prompt", row.prompt.as_ref());
        push(&mut parts, "completion", row.completion.as_ref());
        parts
    });
    out.tables("spellings", inline.collect());
}

fn push(parts: &mut Vec<String>, key: &str, value: Option<&Text<'_>>) {
    if let Some(value) = value {
        parts.push(format!("{key} = {}", quoted(value)));
    }
}

pub(super) fn providers(rows: &[ProviderRow<'_>]) -> String {
    let mut out = Lines(PROVIDERS.into());
    for row in rows {
        provider(&mut out, row);
        for (dialect, wire) in &row.wire {
            out.table(&format!("[provider.wire.{}]", key(dialect)));
            out.text("base_url", wire.base_url.as_ref());
            out.text("auth", wire.auth.as_ref());
            out.values("quirks", &wire.quirks);
        }
    }
    out.0
}

fn provider(out: &mut Lines, row: &ProviderRow<'_>) {
    out.table("[[provider]]");
    out.text("slug", Some(&row.slug));
    out.text("name", Some(&row.name));
    out.list("aliases", &row.aliases);
    out.text("dialect", Some(&row.dialect));
    out.text("base_url", Some(&row.base_url));
    for (region, url) in &row.base_urls {
        out.text(&format!("base_urls.{}", key(region)), Some(url));
    }
    out.text("auth", Some(&row.auth));
    out.list("env", &row.env);
    out.list("env_identity", &row.env_identity);
    for (variable, scheme) in &row.env_auth {
        out.text(&format!("env_auth.{}", key(variable)), Some(scheme));
    }
    out.list("env_base_url", &row.env_base_url);
    for (name, variables) in &row.settings {
        out.list(&format!("settings.{}", key(name)), variables);
    }
    out.list("makes", &row.makes);
    out.flag("keyless", row.keyless);
    out.flag("general_identity", row.general_identity);
    out.flag("aggregator", row.aggregator);
    out.answer("policy.training", row.policy.training);
    out.answer("policy.retained", row.policy.retained);
    out.answer("policy.zdr", row.policy.zdr);
    out.text("policy.source", row.policy.source.as_ref());
    out.text("privacy_policy_url", row.privacy_policy_url.as_ref());
    out.text("terms_of_service_url", row.terms_of_service_url.as_ref());
    out.text("status_page_url", row.status_page_url.as_ref());
    out.text("headquarters", row.headquarters.as_ref());
    out.list("datacenters", &row.datacenters);
    out.text("docs", row.docs.as_ref());
    out.values("quirks", &row.quirks);
    for (dialect, search) in &row.search {
        out.text(&format!("search.{}", key(dialect)), Some(search));
    }
    out.text("seen", row.seen.as_ref());
}

pub(super) fn aliases(latest: &[LatestRow<'_>], aliases: &[AliasRow<'_>]) -> String {
    let mut out = Lines(ALIASES.into());
    for row in latest {
        out.table("[[latest]]");
        out.text("name", Some(&row.name));
        out.text("target", row.target.as_ref());
        out.text("source", row.source.as_ref());
        out.text("seen", row.seen.as_ref());
        out.flag("pinned", row.pinned);
    }
    for row in aliases {
        out.table("[[alias]]");
        out.text("name", Some(&row.name));
        out.text("target", Some(&row.target));
    }
    out.0
}

pub(super) fn licenses(rows: &[LicenseRow<'_>]) -> String {
    let mut out = Lines(LICENSES.into());
    for row in rows {
        out.table("[[license]]");
        out.text("id", Some(&row.id));
        out.text("name", Some(&row.name));
        out.answer("distillable", row.distillable);
        out.text("because", row.because.as_ref());
        out.text("source", row.source.as_ref());
        out.text("seen", row.seen.as_ref());
    }
    out.0
}

/// A basic string. JSON's escapes are all TOML's too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A key, bare where it may be.
fn key(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !text.is_empty() && text.chars().all(bare) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

// === impl Lines ===

impl Lines {
    fn line(&mut self, key: &str, value: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{key} = {value}");
    }

    fn table(&mut self, header: &str) {
        let _ = write!(self.0, "\n{header}\n");
    }

    fn text(&mut self, key: &str, value: Option<&Text<'_>>) {
        if let Some(value) = value {
            self.line(key, &quoted(value));
        }
    }

    fn number(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.line(key, &value.to_string());
        }
    }

    fn figure(&mut self, key: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.line(key, &value.to_string());
        }
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.answer(key, value.then_some(true));
    }

    fn answer(&mut self, key: &str, value: Option<bool>) {
        if let Some(value) = value {
            self.line(key, &value.to_string());
        }
    }

    fn list(&mut self, key: &str, values: &[Text<'_>]) {
        if !values.is_empty() {
            let quoted: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            self.line(key, &format!("[{}]", quoted.join(", ")));
        }
    }

    fn tables(&mut self, key: &str, rows: Vec<Vec<String>>) {
        if rows.is_empty() {
            return;
        }
        let mut value = String::from("[\n");
        for row in rows {
            let _ = writeln!(value, "  {{ {} }},", row.join(", "));
        }
        value.push(']');
        self.line(key, &value);
    }

    fn values(&mut self, group: &str, values: &serde_json::Map<String, serde_json::Value>) {
        for (name, value) in values {
            let value = match value {
                serde_json::Value::Array(items) => {
                    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                    format!("[{}]", items.join(", "))
                }
                value => value.to_string(),
            };
            self.line(&format!("{group}.{}", key(name)), &value);
        }
    }
}
