//! The second engine: the contract's sections 3, 4.2, 5 and 9.4 from top to bottom, as settled by the
//! project's decisions, over plain facts. Slow on purpose, and without a line of the first engine.
//!
//! Where the contract draws lots, this engine says which endpoints the lot is among: a group of them.

use serde_json::Value;

use crate::world::{Case, Endpoint, PARAMETERS};

/// What the contract says of a case.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// Groups of `model|tag`, in order; within a group any order will do.
    Tried(Vec<Vec<String>>),
    /// Of each group one, whichever the lot falls on.
    OneOfEach(Vec<Vec<String>>),
    /// Status, and `availability.code`.
    Refused(u16, Option<&'static str>),
}

/// The answer, and `model|tag` with the reason of every endpoint that is not tried.
pub(crate) type Account = (Answer, Vec<(String, &'static str)>);

/// An endpoint of one entry of the request.
#[derive(Clone)]
struct One<'a> {
    entry: usize,
    model: usize,
    at: &'a Endpoint,
    suffix: &'a str,
}

impl One<'_> {
    fn id(&self) -> String {
        format!("acme/m{}|{}", self.model, self.at.tag)
    }

    fn tier(&self) -> Option<&'static str> {
        if self.at.tag.ends_with("/flex") {
            Some("flex")
        } else if self.at.tag.ends_with("/priority") {
            Some("priority")
        } else {
            None
        }
    }

    fn supports(&self, parameter: &str) -> bool {
        self.at.parameters.contains(&parameter)
    }
}

/// Everything that is asked of one case.
struct Asked<'a> {
    case: &'a Case,
    wishes: &'a Value,
}

impl<'a> Asked<'a> {
    fn list(&self, key: &str) -> Vec<String> {
        let list = self.wishes[key].as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    }

    fn sort(&self) -> Option<&'a str> {
        self.wishes["sort"]
            .as_str()
            .or_else(|| self.wishes["sort"]["by"].as_str())
    }

    fn together(&self) -> bool {
        self.wishes["sort"]["partition"] == "none"
    }

    /// Section 3.2: slug, display name, case and punctuation of no matter; `base/variant` is one
    /// endpoint, `base` all of the provider's.
    fn names(&self, name: &str, endpoint: &Endpoint) -> bool {
        let plain = |text: &str| {
            let letters = text
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || *c == '/');
            letters.collect::<String>().to_lowercase()
        };
        let name = plain(name);
        let (base, variant) = match name.split_once('/') {
            Some((base, variant)) => (base.to_owned(), Some(variant.to_owned())),
            None => (name.clone(), None),
        };
        let provider = &self.case.providers[endpoint.provider];
        if base != plain(&provider.slug) && base != plain(&provider.name) {
            return false;
        }
        match variant {
            None => true,
            Some(variant) => {
                let (_, own) = endpoint.tag.split_once('/').unwrap_or(("", ""));
                plain(own) == variant
            }
        }
    }

    fn any_names(&self, names: &[String], endpoint: &Endpoint) -> bool {
        names.iter().any(|name| self.names(name, endpoint))
    }

    /// A name that matches no provider, or a variant that nobody in the catalogue has.
    fn unmatched(&self, name: &str) -> bool {
        let plain = |text: &str| -> String {
            text.to_lowercase()
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .collect()
        };
        let base = plain(name.split('/').next().unwrap());
        let known = |p: &crate::world::Provider| plain(&p.slug) == base || plain(&p.name) == base;
        if !self.case.providers.iter().any(known) {
            return true;
        }
        let mut all = self.case.models.iter().flatten();
        name.contains('/') && !all.any(|endpoint| self.names(name, endpoint))
    }

    /// The prices that hold for the prompt: at a step the whole request is billed by it.
    fn price(&self, endpoint: &Endpoint) -> Option<(u64, u64)> {
        let base = endpoint.price?;
        match endpoint.step {
            Some((above, price)) if self.case.prompt > above => Some(price),
            _ => Some(base),
        }
    }

    /// Section 3.3, thousandths of a dollar; the cap as the request spells it.
    fn within_caps(&self, endpoint: &Endpoint) -> bool {
        let cap = |names: [&str; 2]| {
            let found = names.iter().map(|name| &self.wishes["max_price"][*name]);
            let found = found.into_iter().find(|value| !value.is_null())?;
            let text = found
                .as_str()
                .map_or_else(|| found.to_string(), str::to_owned);
            Some((text.parse::<f64>().unwrap() * 1_000.0).round() as u64)
        };
        let prompt = cap(["prompt", "input"]);
        let completion = cap(["completion", "output"]);
        let request = cap(["request", "request"]);
        let own = self.case.policy.cap;
        if prompt.is_none() && completion.is_none() && request.is_none() && own.is_none() {
            return true;
        }
        let Some((input, output)) = self.price(endpoint) else {
            return false;
        };
        [
            (prompt, input),
            (own, input),
            (completion, output),
            (request, endpoint.fee.unwrap_or(0)),
        ]
        .iter()
        .all(|(cap, price)| cap.is_none_or(|cap| *price <= cap))
    }

    fn max_tokens(&self) -> u64 {
        self.case.body["max_tokens"].as_u64().unwrap_or(0)
    }

    fn tier(&self) -> Option<&'a str> {
        match self.case.body["service_tier"].as_str()? {
            "auto" => None,
            "fast" => Some("priority"),
            tier => Some(tier),
        }
    }

    /// Section 9.4: a suffix admits its tier unless a sort, an order or the default tier overrule it.
    fn suffix_admits(&self, one: &One<'_>) -> bool {
        let overruled = self.sort().is_some()
            || !self.list("order").is_empty()
            || self.tier() == Some("default");
        let admits = matches!(
            (one.suffix, one.tier()),
            (":nitro", Some("priority")) | (":floor", Some("flex"))
        );
        admits && !overruled
    }

    /// The first filter of section 3.4, C, that the endpoint fails.
    fn fails(&self, one: &One<'_>) -> Option<&'static str> {
        let (endpoint, policy) = (one.at, &self.case.policy);
        let provider = &self.case.providers[endpoint.provider];
        let (only, ignore) = (self.list("only"), self.list("ignore"));
        if !provider.key {
            return Some("no_credentials");
        }
        if !only.is_empty() && !self.any_names(&only, endpoint) {
            return Some("only");
        }
        if !policy.only.is_empty() && !self.any_names(&policy.only, endpoint) {
            return Some("only");
        }
        if self.any_names(&ignore, endpoint) || self.any_names(&policy.ignore, endpoint) {
            return Some("ignore");
        }
        let [training, kept, zdr] = provider.data;
        if (self.wishes["zdr"] == true || policy.zdr) && zdr != Some(true) {
            return Some("zdr");
        }
        let denied = self.wishes["data_collection"] == "deny" || policy.deny;
        let collects = training != Some(false) || kept != Some(false);
        if denied && zdr != Some(true) && collects {
            return Some("data_collection");
        }
        if let Some(formats) = self.wishes["quantizations"].as_array() {
            let own = endpoint.quantization.unwrap_or("unknown");
            let fits = formats.iter().any(|format| match format.as_str().unwrap() {
                "fp4" => ["fp4", "mxfp4", "nvfp4"].contains(&own),
                "fp8" => ["fp8", "mxfp8"].contains(&own),
                format => format == own,
            });
            if !fits {
                return Some("quantization");
            }
        }
        if !self.within_caps(endpoint) {
            return Some("max_price");
        }
        if endpoint
            .context
            .is_some_and(|room| self.case.prompt + self.max_tokens() > room)
        {
            return Some("context_length");
        }
        if endpoint
            .output
            .is_some_and(|limit| self.max_tokens() > limit)
        {
            return Some("max_output");
        }
        let sent = PARAMETERS
            .iter()
            .filter(|name| !self.case.body[**name].is_null());
        if self.wishes["require_parameters"] == true
            && !sent.into_iter().all(|name| one.supports(name))
        {
            return Some("require_parameters");
        }
        self.fails_its_tier(one).then_some("service_tier")
    }

    /// Section 9.4. Whether the endpoint is of a tier that nobody asked for, or not of the one that
    /// was.
    fn fails_its_tier(&self, one: &One<'_>) -> bool {
        let endpoint = one.at;
        let (only, order) = (self.list("only"), self.list("order"));
        let flex_exists = self.case.models[one.model]
            .iter()
            .any(|other| other.tag.ends_with("/flex") && self.case.providers[other.provider].key);
        if self.tier() == Some("flex") && flex_exists && one.tier() != Some("flex") {
            return true;
        }
        let exactly = |names: &[String]| {
            let full = names.iter().filter(|name| name.contains('/'));
            full.into_iter().any(|name| self.names(name, endpoint))
        };
        one.tier().is_some()
            && one.tier() != self.tier()
            && !exactly(&order)
            && !exactly(&only)
            && !self.suffix_admits(one)
    }

    /// Section 3.6. A threshold that nobody has figures for says nothing.
    fn misses(&self, one: &One<'_>, live: &[One<'_>]) -> bool {
        let cutoffs = |key: &str| {
            let wish = &self.wishes[key];
            let number = wish.as_u64();
            (
                number.or_else(|| wish["p50"].as_u64()),
                wish["p90"].as_u64(),
            )
        };
        let (wait50, wait90) = cutoffs("preferred_max_latency");
        let (speed50, speed90) = cutoffs("preferred_min_throughput");
        let slow = (wait50.is_some() || wait90.is_some())
            && live.iter().any(|other| other.at.wait.is_some())
            && one.at.wait.is_none_or(|(p50, p90)| {
                wait50.is_some_and(|cut| p50 > cut) || wait90.is_some_and(|cut| p90 > cut)
            });
        let thin = (speed50.is_some() || speed90.is_some())
            && live.iter().any(|other| other.at.speed.is_some())
            && one.at.speed.is_none_or(|(p50, p90)| {
                speed50.is_some_and(|cut| p50 < cut) || speed90.is_some_and(|cut| p90 < cut)
            });
        slow || thin
    }

    /// (3 × prompt + completion), unknown last.
    fn by_price(&self, one: &One<'_>) -> (bool, u64) {
        match self.price(one.at) {
            Some((input, output)) => (false, 3 * input + output),
            None => (true, 0),
        }
    }

    /// The metric of a sort, absent last; `None` for quality, of which nothing is known.
    fn metric(&self, by: &str, one: &One<'_>) -> Option<(bool, u64)> {
        match by {
            "price" => Some(self.by_price(one)),
            "latency" => Some((one.at.wait.is_none(), one.at.wait.unwrap_or_default().0)),
            "throughput" => {
                let speed = one.at.speed.unwrap_or_default().0;
                Some((one.at.speed.is_none(), u64::MAX - speed))
            }
            _ => None,
        }
    }

    /// Section 3.5, 5: stable before failing, free before priced before unknown.
    fn lot_class(&self, one: &One<'_>) -> u64 {
        let (requests, errors) = one.at.recent.unwrap_or_default();
        let outage = requests >= 3 && errors * 10 > requests * 3;
        let class = match self.by_price(one) {
            (true, _) => 2,
            (false, 0) => 0,
            (false, _) => 1,
        };
        u64::from(outage) * 10 + class
    }

    /// What an entry is sorted by, where no `order` is given: an explicit sort, its own suffix, the
    /// tier, the operator's default, in this order; `None` is the lot.
    fn sorted_by(&self, suffix: &str, flex: bool) -> (Option<&'a str>, Option<&'a str>) {
        if let Some(by) = self.sort() {
            return (Some(by), None);
        }
        match suffix {
            ":nitro" => return (Some("throughput"), None),
            ":floor" => return (Some("price"), None),
            ":exacto" => return (Some("exacto"), None),
            _ => {}
        }
        match self.tier() {
            Some("flex") if flex => (Some("price"), Some("flex")),
            Some("priority") => (Some("throughput"), Some("priority")),
            _ => (self.case.policy.sort, None),
        }
    }
}

/// What `order` makes of an endpoint: its place, else behind, where thresholds and the sort hold.
fn listed_rank(asked: &Asked<'_>, one: &One<'_>, misses: bool) -> Vec<u64> {
    let order = asked.list("order");
    let place = order.iter().position(|name| asked.names(name, one.at));
    let rest = asked.sort().unwrap_or("price");
    let (behind, by) = match place {
        Some(_) => (0, "price"),
        None => (u64::from(misses), rest),
    };
    let place = place.map_or(u64::MAX, |place| place as u64);
    let (absent, metric) = asked.metric(by, one).unwrap_or((true, 0));
    vec![place, behind, u64::from(absent), metric]
}

/// What the contract says of `case`.
pub(crate) fn answer(case: &Case) -> Account {
    let asked = Asked {
        case,
        wishes: &case.body["provider"],
    };
    // A: the entries, each once.
    let mut entries: Vec<&str> = vec![case.body["model"].as_str().unwrap()];
    for entry in case.body["models"].as_array().into_iter().flatten() {
        if !entries.contains(&entry.as_str().unwrap()) {
            entries.push(entry.as_str().unwrap());
        }
    }
    let names = ["order", "only", "ignore"]
        .iter()
        .flat_map(|key| asked.list(key));
    if case.policy.strict && names.into_iter().any(|name| asked.unmatched(&name)) {
        return (Answer::Refused(400, None), Vec::new());
    }
    // B and C.
    let (mut live, mut dropped): (Vec<One<'_>>, Vec<(String, &str)>) = (Vec::new(), Vec::new());
    let mut known = false;
    for (entry, spelled) in entries.iter().enumerate() {
        let (name, suffix) = match spelled.find(':') {
            Some(at) => spelled.split_at(at),
            None => (*spelled, ""),
        };
        let Ok(model) = name.trim_start_matches("acme/m").parse::<usize>() else {
            continue;
        };
        known = true;
        for at in &case.models[model] {
            let one = One {
                entry,
                model,
                at,
                suffix,
            };
            if live.iter().any(|other| other.id() == one.id()) {
                continue;
            }
            match asked.fails(&one) {
                Some(reason) => dropped.push((one.id(), reason)),
                None => live.push(one),
            }
        }
    }
    if !known {
        return (Answer::Refused(400, Some("model_not_found")), Vec::new());
    }
    // D: preferences, model by model, which never empty one.
    for parameter in ["tools", "response_format", "verbosity"] {
        if case.body[parameter].is_null() {
            continue;
        }
        let supported: Vec<usize> = live
            .iter()
            .filter(|one| one.supports(parameter))
            .map(|one| one.model)
            .collect();
        let strict = case.policy.strict && parameter == "tools";
        live.retain(|one| {
            let stays = one.supports(parameter) || (!supported.contains(&one.model) && !strict);
            if !stays {
                dropped.push((one.id(), "parameters"));
            }
            stays
        });
    }
    let answer = order_and_cut(&asked, live, &mut dropped);
    (answer, account(dropped))
}

/// Every endpoint that is not tried, once, with the first reason.
fn account(dropped: Vec<(String, &'static str)>) -> Vec<(String, &'static str)> {
    let mut once: Vec<(String, &'static str)> = Vec::new();
    for (id, reason) in dropped {
        if !once.iter().any(|(known, _)| *known == id) {
            once.push((id, reason));
        }
    }
    once.sort();
    once
}

/// E and F.
fn order_and_cut(
    asked: &Asked<'_>,
    live: Vec<One<'_>>,
    dropped: &mut Vec<(String, &'static str)>,
) -> Answer {
    dropped.retain(|(id, _)| !live.iter().any(|one| one.id() == *id));
    if live.is_empty() {
        return refused(dropped);
    }
    let ordered = !asked.list("order").is_empty();
    let alike = live.iter().all(|one| one.suffix == live[0].suffix);
    let mut ranked: Vec<(Vec<u64>, bool, One<'_>)> = Vec::new();
    for one in &live {
        let misses = asked.misses(one, &live);
        let model = if asked.together() {
            0
        } else {
            one.entry as u64
        };
        let suffix = if !asked.together() || alike {
            one.suffix
        } else {
            ""
        };
        if ordered {
            let mut rank = vec![model];
            rank.extend(listed_rank(asked, one, misses));
            ranked.push((rank, false, one.clone()));
            continue;
        }
        // Flex where nobody sells it routes as usual.
        let is_flex = |one: &One<'_>| one.tier() == Some("flex");
        let flex = is_flex(one) || (asked.together() && live.iter().any(is_flex));
        let (by, tier) = asked.sorted_by(suffix, flex);
        let first = u64::from(tier.is_some() && one.tier() != tier);
        let metric = by.and_then(|by| asked.metric(by, one));
        let (lot, rest) = match metric {
            Some((absent, metric)) => (false, vec![first, u64::from(absent), metric]),
            None => (true, vec![asked.lot_class(one)]),
        };
        let mut rank = vec![u64::from(misses), model];
        rank.extend(rest);
        ranked.push((rank, lot, one.clone()));
    }
    ranked.sort_by(|(a, _, x), (b, _, y)| {
        a.cmp(b)
            .then(x.at.tag.cmp(&y.at.tag))
            .then(x.entry.cmp(&y.entry))
    });
    if asked.wishes["allow_fallbacks"] == false {
        return cut(asked, ranked, ordered, dropped);
    }
    Answer::Tried(groups(&ranked))
}

/// Neighbours of one rank that a lot orders form a group.
fn groups(ranked: &[(Vec<u64>, bool, One<'_>)]) -> Vec<Vec<String>> {
    let mut groups: Vec<(&[u64], bool, Vec<String>)> = Vec::new();
    for (rank, lot, one) in ranked {
        match groups.last_mut() {
            Some((last, true, group)) if *lot && *last == rank.as_slice() => {
                group.push(one.id());
            }
            _ => groups.push((rank, *lot, vec![one.id()])),
        }
    }
    groups.into_iter().map(|(_, _, group)| group).collect()
}

/// Section 3.7: with `order` everything that it names, else one endpoint of every entry.
fn cut(
    asked: &Asked<'_>,
    ranked: Vec<(Vec<u64>, bool, One<'_>)>,
    ordered: bool,
    dropped: &mut Vec<(String, &'static str)>,
) -> Answer {
    if ordered {
        let order = asked.list("order");
        let (stays, goes): (Vec<_>, Vec<_>) = ranked
            .into_iter()
            .partition(|(_, _, one)| asked.any_names(&order, one.at));
        dropped.extend(goes.iter().map(|(_, _, one)| (one.id(), "allow_fallbacks")));
        if stays.is_empty() {
            return refused(dropped);
        }
        return Answer::Tried(groups(&stays));
    }
    let mut kept: Vec<(usize, Vec<String>)> = Vec::new();
    for (entry, group) in grouped_by_entry(&ranked) {
        if !kept.iter().any(|(known, _)| *known == entry) {
            kept.push((entry, group));
        }
    }
    Answer::OneOfEach(kept.into_iter().map(|(_, group)| group).collect())
}

/// The groups in order, each split by entry, with the entry.
fn grouped_by_entry(ranked: &[(Vec<u64>, bool, One<'_>)]) -> Vec<(usize, Vec<String>)> {
    let mut split: Vec<(usize, Vec<String>)> = Vec::new();
    for group in groups(ranked) {
        let entry = |id: &String| {
            ranked
                .iter()
                .find(|(_, _, one)| one.id() == *id)
                .unwrap()
                .2
                .entry
        };
        let mut own: Vec<(usize, Vec<String>)> = Vec::new();
        for id in group {
            let entry = entry(&id);
            match own.iter_mut().find(|(known, _)| *known == entry) {
                Some((_, ids)) => ids.push(id),
                None => own.push((entry, vec![id])),
            }
        }
        split.extend(own);
    }
    split
}

/// Section 2.4 and the decisions' "Statuses".
fn refused(dropped: &[(String, &'static str)]) -> Answer {
    let setup = |reason: &str| reason == "no_credentials";
    let decisive: Vec<&str> = account(dropped.to_vec())
        .iter()
        .map(|(_, reason)| *reason)
        .filter(|r| !setup(r))
        .collect();
    let all = |reasons: &[&str]| decisive.iter().all(|reason| reasons.contains(reason));
    if all(&["only", "ignore"]) {
        Answer::Refused(404, Some("no_endpoints"))
    } else if all(&["zdr", "data_collection", "only", "ignore"]) {
        Answer::Refused(404, Some("privacy_restricted"))
    } else if all(&["context_length"]) {
        Answer::Refused(400, Some("constraint_filtered"))
    } else {
        Answer::Refused(404, Some("constraint_filtered"))
    }
}
