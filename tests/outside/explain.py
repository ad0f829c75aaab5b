"""A second opinion on routing from outside: random worlds (a config, a health file, requests) are given to
`waystation explain --batch`, and every line is held against what the API contract says of it, worked out
here from the top, slowly, and without a word of the router's code. Where the contract draws lots, the lot's
members are held against, not their order; how often each comes first is a check of its own.

Usage: explain.py PATH_TO_WAYSTATION [WORLDS] [FIRST_SEED]. Standard library only; sends nothing."""
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from decimal import Decimal

from station import Checks

REQUESTS = 40  # in every world
SORTS = ["price", "throughput", "latency", "exacto"]
PARAMETERS = {
    "temperature": 0.5, "top_k": 4, "seed": 1, "stop": "x", "verbosity": "low", "logit_bias": {"5": 1},
    "tools": [{"type": "function", "function": {"name": "look"}}],
    "response_format": {"type": "json_object"},
}
PERCENTILES = ["p50", "p75", "p90", "p99"]
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


def folded(text):
    """Case and punctuation do not count in names."""
    return re.sub(r"[\s_.\-]", "", text.lower())


# --- worlds ---------------------------------------------------------------------------------------

def money(dice):
    return Decimal(dice.choice([0, 1, 1, 2, 2, 3, 4, 5, 8])) / dice.choice([1, 2, 10])


def percentiles(dice, values, falling):
    chosen = sorted((dice.choice(values) for _ in PERCENTILES), reverse=falling)
    return dict(zip(PERCENTILES, chosen))


def make_endpoint(dice, slug):
    tier = dice.choice([""] * 6 + ["turbo", "us-east", "flex", "priority"])
    price = None
    if dice.random() < 0.9:
        price = {"prompt": money(dice), "completion": money(dice)}
        if dice.random() < 0.1:
            price["request"] = Decimal(dice.choice([1, 2, 3])) / 100
        if dice.random() < 0.1:
            price["image"] = Decimal(dice.choice([1, 2, 3])) / 1000
    health = {}
    if dice.random() < 0.6:
        health["latency_s"] = percentiles(dice, [0.2, 0.4, 0.5, 1, 2, 5, 9.5], False)
    if dice.random() < 0.6:
        health["throughput_tps"] = percentiles(dice, [5, 20, 40, 50, 60, 90, 200.5], True)
    if dice.random() < 0.4:
        requests = dice.randrange(0, 14)
        health["last_30s"] = {"requests": requests, "errors": dice.randint(0, requests)}
    return {
        "slug": slug, "tag": f"{slug}/{tier}" if tier else slug, "tier": tier if tier in ("flex", "priority") else None,
        "price": price, "health": health,
        "context": dice.choice([None, None, 16384, 65536]), "output": dice.choice([None, None, 1024, 8192]),
        "quantization": dice.choice([None, None, "fp8", "mxfp8", "fp4", "nvfp4", "bf16", "int4", "unknown"]),
        "parameters": dice.choice([None, [p for p in [*PARAMETERS, "max_tokens", "structured_outputs"] if dice.random() < 0.8]]),
    }


def make_model(dice, number, slugs):
    endpoints = {}
    for _ in range(dice.randint(1, 9)):
        one = make_endpoint(dice, dice.choice(slugs))
        endpoints.setdefault(one["tag"], one)
    model = {
        "id": f"acme/m{number}", "endpoints": list(endpoints.values()),
        "input": dice.choice([None, None, ["text"], ["text", "image"]]),
        "parameters": dice.choice([None, None, [p for p in [*PARAMETERS, "max_tokens"] if dice.random() < 0.8]]),
        "context": dice.choice([None, None, 16384, 65536]), "output": dice.choice([None, None, 8192]),
    }
    for one in model["endpoints"]:
        # What an endpoint does not say, its model says.
        one["model"], one["input"] = model["id"], model["input"]
        one["says"] = {key: one[key] for key in ("context", "output", "parameters")}
        for key in one["says"]:
            one[key] = model[key] if one[key] is None else one[key]
    return model


def make_world(dice):
    names = [("alpha", "Alpha AI"), ("beta.ai", "Beta.AI"), ("gamma-cloud", "Gamma Cloud"), ("delta", "Delta_X"),
             ("my-vllm", "My vLLM"), ("zeta", "Zeta")][: dice.randint(2, 6)]
    providers = {}
    for slug, name in names:
        policy = {}
        for key, values in (("training", [True, False]), ("retention", ["none", "30 days"]), ("zdr", [True, False])):
            if dice.random() < 0.6:
                policy[key] = dice.choice(values)
        providers[slug] = {"name": name, "policy": policy}
    models = {f"acme/m{n}": make_model(dice, n, list(providers)) for n in range(dice.randint(1, 4))}
    world = {"providers": providers, "models": models, "routing": {}, "aliases": {}, "dead": set(), "factor": {}}
    routing, slugs = world["routing"], list(providers)
    rare = lambda chance: dice.random() < chance
    if rare(0.12): routing["sort"] = dice.choice(SORTS)
    if rare(0.05): routing["only"] = dice.sample(slugs, dice.randint(1, len(slugs)))
    if rare(0.12): routing["ignore"] = [dice.choice([providers[s]["name"] for s in slugs])]
    if rare(0.04): routing["data_collection"] = "deny"
    if rare(0.04): routing["zdr"] = True
    if rare(0.06): routing["max_price"] = {"prompt": money(dice) + 1}
    if rare(0.1): routing["strict"] = True
    if rare(0.3): world["aliases"]["quick"] = dice.choice(list(models))
    if rare(0.2): world["dead"].add((dice.choice(list(models)), dice.choice(slugs)))
    if rare(0.2): world["factor"][(dice.choice(list(models)), dice.choice(slugs))] = Decimal("0.5")
    return world


def toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }"
    return f'"{value}"' if isinstance(value, Decimal) else json.dumps(value)


def config(world):
    out = ["[catalog]\nbundled = false\n[routing]"]
    out += [f"{key} = {toml(value)}" for key, value in world["routing"].items()]
    out += ["[aliases]"] + [f'"{a}" = "{m}"' for a, m in world["aliases"].items()]
    out += ['[presets.frugal]\nprovider = { sort = "price" }\n']
    for slug, provider in world["providers"].items():
        out += [f'[providers."{slug}"]', f"name = {toml(provider['name'])}", 'dialect = "openai-chat"',
                'base_url = "http://127.0.0.1:9/v1"', 'api_key = "k"', f"data_policy = {toml(provider['policy'])}"]
    for model in world["models"].values():
        pairs = [("context_length", model["context"]), ("max_output_tokens", model["output"]),
                 ("input_modalities", model["input"]), ("supported_parameters", model["parameters"])]
        out += ["[[models]]", f'id = "{model["id"]}"'] + [f"{k} = {toml(v)}" for k, v in pairs if v is not None]
        for one in model["endpoints"]:
            pairs = [("provider", one["slug"]), ("tag", one["tag"]), ("price", one["price"]), ("quantization", one["quantization"]),
                     ("context_length", one["says"]["context"]), ("max_output_tokens", one["says"]["output"]),
                     ("supported_parameters", one["says"]["parameters"])]
            out += ["[[models.endpoints]]"] + [f"{k} = {toml(v)}" for k, v in pairs if v is not None]
    for (model, provider) in world["dead"]:
        out += ["[[overrides]]", f"match = {toml({'model': model, 'provider': provider})}", "enabled = false"]
    for (model, provider), factor in world["factor"].items():
        out += ["[[overrides]]", f"match = {toml({'model': model, 'provider': provider})}", f'price_multiplier = "{factor}"']
    return "\n".join(out)


def settle_overrides(world):
    """What `[[overrides]]` leave of the rows."""
    for model in world["models"].values():
        model["endpoints"] = [e for e in model["endpoints"] if (model["id"], e["slug"]) not in world["dead"]]
        for one in model["endpoints"]:
            factor = world["factor"].get((model["id"], one["slug"]))
            if factor and one["price"]:
                one["price"] = {key: price * factor for key, price in one["price"].items()}


# --- requests -------------------------------------------------------------------------------------

def name_of(dice, world):
    """A provider as people spell it, now and then nobody."""
    slug = dice.choice(list(world["providers"]))
    name = world["providers"][slug]["name"]
    spelled = [slug, slug, slug, name, name.upper(), f" {name} ", slug.replace("-", "_"), f"{slug}/turbo", f"{slug}/FLEX",
               f"{name}/us_east", f"{slug}/priority", "nobody", f"{slug}/nothing"]
    return dice.choice(spelled)


def cutoff(dice, values):
    if dice.random() < 0.4:
        return dice.choice(values)
    return {p: dice.choice(values) for p in dice.sample(PERCENTILES, dice.randint(1, 3))}


def make_provider(dice, world):
    wishes, some = {}, lambda most: [name_of(dice, world) for _ in range(dice.randint(0, most))]
    rare = lambda chance: dice.random() < chance
    if rare(0.2): wishes["order"] = some(4)
    if rare(0.15): wishes["only"] = some(4)
    if rare(0.2): wishes["ignore"] = some(2)
    if rare(0.3): wishes["sort"] = dice.choice([*SORTS, None, *({"by": s, "partition": p} for s in SORTS for p in ("none", "model", None)),
                                               {"partition": "none"}])
    if rare(0.25): wishes["allow_fallbacks"] = dice.choice([True, False, False, None])
    if rare(0.15): wishes["require_parameters"] = dice.choice([True, False])
    if rare(0.08): wishes["data_collection"] = dice.choice(["allow", "deny"])
    if rare(0.08): wishes["zdr"] = dice.choice([True, False])
    if rare(0.1): wishes["quantizations"] = dice.sample(["fp4", "fp8", "bf16", "int4", "unknown", "nvfp4"], dice.randint(0, 4))
    if rare(0.2): wishes["preferred_min_throughput"] = cutoff(dice, [5, 20, 50, 60.5, 100])
    if rare(0.2): wishes["preferred_max_latency"] = cutoff(dice, [0.2, 0.5, 1, 3, 9])
    if rare(0.2):
        words = dice.choice([("prompt", "completion"), ("input", "output")])
        caps = {word: money(dice) + dice.choice([0, 1]) for word in (*words, "request", "image") if rare(0.4)}
        wishes["max_price"] = {k: dice.choice([float(v), str(v)]) for k, v in caps.items()}
    return wishes


def make_request(dice, world):
    entry = lambda: dice.choice([*world["models"]] * 4 + [*world["aliases"]] + ["acme/none"]) + dice.choice(
        [""] * 6 + [":nitro", ":floor", ":exacto", ":NITRO", ":online"])
    words = 24000 if dice.random() < 0.03 else 2
    content = "word " * words
    body = {"messages": [{"role": "user", "content": content}]}
    if dice.random() < 0.08:
        body["messages"][0]["content"] = [{"type": "text", "text": content}, IMAGE]
    if dice.random() < 0.9: body["model"] = entry()
    if dice.random() < 0.4 or "model" not in body: body["models"] = [entry() for _ in range(dice.randint(1, 4))]
    if dice.random() < 0.15: body["route"] = dice.choice(["fallback", "sort", None])
    if dice.random() < 0.8: body["provider"] = make_provider(dice, world)
    body.update({key: value for key, value in PARAMETERS.items() if dice.random() < 0.15})
    if dice.random() < 0.05:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    if dice.random() < 0.25: body[dice.choice(["max_tokens", "max_completion_tokens"])] = dice.choice([16, 1024, 1025, 8192, 20000])
    if dice.random() < 0.12: body["service_tier"] = dice.choice(["auto", "default", "flex", "priority", "fast"])
    if dice.random() < 0.05: body["preset"] = "frugal"
    return body


def spoil(dice, body):
    """Something that no request may have; the field that the refusal must name."""
    wrong = [("foo", {"foo": 1}), ("Sort", {"Sort": "price"}), ("max_price", {"max_price": {"prompt": "abc"}}),
             ("max_price", {"max_price": {"prompt": -1}}), ("promt", {"max_price": {"promt": 1}}),
             ("sort", {"sort": "cheapest"}), ("quantizations", {"quantizations": ["fp9"]}), ("order", {"order": "alpha"}),
             ("max_price", {"max_price": {"prompt": 1, "input": 2}}), ("data_collection", {"data_collection": "no"}),
             ("preferred_max_latency", {"preferred_max_latency": {"p95": 1}}), ("allow_fallbacks", {"allow_fallbacks": "no"})]
    field, provider = dice.choice(wrong)
    body["provider"] = {**body.get("provider", {}), **provider}
    return field


# --- what the contract says -----------------------------------------------------------------------

class Asked:
    """One request in one world, read by sections 3, 4.2, 5 and 9.4."""

    def __init__(self, world, body):
        if body.get("preset"):
            body = {"provider": {"sort": "price"}, **body}
        self.world, self.body = world, body
        self.wishes = {k: v for k, v in (body.get("provider") or {}).items() if v is not None}
        sort = self.wishes.get("sort")
        self.by = sort.get("by") if isinstance(sort, dict) else sort
        partition = sort.get("partition") if isinstance(sort, dict) else None
        self.together = partition == "none" or (partition is None and body.get("route") == "sort")
        self.order = self.wishes.get("order") or []
        self.tier = {"fast": "priority", "auto": None}.get(body.get("service_tier"), body.get("service_tier"))
        self.wanted = body.get("max_completion_tokens", body.get("max_tokens"))
        self.prompt = 24000 if "word " * 100 in json.dumps(body["messages"]) else 10
        self.sent = {key for key in [*PARAMETERS, "max_tokens", "max_completion_tokens"] if key in body}
        if body.get("response_format", {}).get("type") == "json_schema":
            self.sent.add("structured_outputs")

    def means(self, name, one):
        base, _, variant = name.partition("/")
        provider = self.world["providers"][one["slug"]]
        if folded(base) not in (folded(one["slug"]), folded(provider["name"])):
            return False
        return not variant or folded(variant) == folded(one["tag"].partition("/")[2])

    def any_means(self, names, one):
        return any(self.means(name, one) for name in names)

    def unmatched(self):
        """Names that match no provider, or a variant that nobody has."""
        every = [one for model in self.world["models"].values() for one in model["endpoints"]]
        known = {folded(text) for slug, p in self.world["providers"].items() for text in (slug, p["name"])}
        for key in ("order", "only", "ignore"):
            for name in self.wishes.get(key) or []:
                if folded(name.partition("/")[0]) not in known or ("/" in name and not any(self.means(name, one) for one in every)):
                    yield name

    def entries(self):
        """(entry, model or None, suffix), each once."""
        spelled = [self.body["model"]] if "model" in self.body else []
        seen = []
        for text in spelled + self.body.get("models", []):
            name, _, suffix = text.lower().partition(":")
            one = (name, suffix)
            if one not in seen:
                seen.append(one)
        for at, (name, suffix) in enumerate(seen):
            yield at, self.world["models"].get(self.world["aliases"].get(name, name)), suffix

    def takes(self, one, parameter):
        """Two words for one wish count as one; whoever takes a schema takes the member that it comes in."""
        parameter = {"max_completion_tokens": "max_tokens"}.get(parameter, parameter)
        listed = one["parameters"]
        return listed is None or parameter in listed or (parameter == "response_format" and "structured_outputs" in listed)

    def drops(self, one, suffix, model):
        """Every hard filter that the endpoint fails, in the contract's order."""
        wishes, routing = self.wishes, self.world["routing"]
        policy = self.world["providers"][one["slug"]]["policy"]
        if wishes.get("only") and not self.any_means(wishes["only"], one): yield "only"
        if routing.get("only") and not self.any_means(routing["only"], one): yield "only"
        if self.any_means(wishes.get("ignore") or [], one) or self.any_means(routing.get("ignore", []), one): yield "ignore"
        if (wishes.get("zdr") or routing.get("zdr")) and policy.get("zdr") is not True: yield "zdr"
        denied = "deny" in (wishes.get("data_collection"), routing.get("data_collection"))
        clean = policy.get("zdr") is True or (policy.get("training") is False and policy.get("retention") == "none")
        if denied and not clean: yield "data_collection"
        has_image = isinstance(self.body["messages"][0]["content"], list)
        if has_image and one["input"] is not None and "image" not in one["input"]: yield "modality"
        formats = wishes.get("quantizations")
        if formats:
            family = {"fp4": ["fp4", "mxfp4", "nvfp4"], "fp8": ["fp8", "mxfp8"]}
            if not any((one["quantization"] or "unknown") in family.get(f, [f]) for f in formats): yield "quantization"
        for caps in (wishes.get("max_price") or {}, routing.get("max_price") or {}):
            alias = {"input": "prompt", "output": "completion"}
            caps = {alias.get(k, k): Decimal(str(v)) for k, v in caps.items()}
            if caps and (not one["price"] or any(one["price"].get(k, 0) > cap for k, cap in caps.items())): yield "max_price"
        if one["context"] and self.prompt + (self.wanted or 0) > one["context"]: yield "context_length"
        if one["output"] and self.wanted and self.wanted > one["output"]: yield "max_output"
        if wishes.get("require_parameters") and not all(self.takes(one, p) for p in self.sent): yield "require_parameters"
        if self.bars_tier(one, suffix, model): yield "service_tier"

    def bars_tier(self, one, suffix, model):
        if self.tier == "flex" and one["tier"] != "flex" and any(e["tier"] == "flex" for e in model["endpoints"]):
            return True
        if one["tier"] is None or one["tier"] == self.tier:
            return False
        named = [n for n in (*self.order, *(self.wishes.get("only") or [])) if "/" in n]
        if self.any_means(named, one):
            return False
        admitted = {"nitro": "priority", "floor": "flex"}.get(suffix)
        return not (admitted == one["tier"] and not self.by and not self.order and self.tier != "default")

    def misses(self, one, live):
        """Section 3.6. A wish that nobody has figures for says nothing."""
        for wish, figures, good in (("preferred_max_latency", "latency_s", lambda found, cut: found <= cut),
                                    ("preferred_min_throughput", "throughput_tps", lambda found, cut: found >= cut)):
            cuts = self.wishes.get(wish)
            if cuts is None or not any(figures in other["health"] for other, *_ in live):
                continue
            cuts = cuts if isinstance(cuts, dict) else {"p50": cuts}
            found = one["health"].get(figures)
            if not found or not all(good(found[p], cut) for p, cut in cuts.items()):
                return True
        return False

    def metric(self, by, one):
        """What a sort compares; absent last."""
        if by == "price":
            return (0, 3 * one["price"]["prompt"] + one["price"]["completion"]) if one["price"] else (1, 0)
        figures = one["health"].get({"throughput": "throughput_tps", "latency": "latency_s"}[by])
        return (1, 0) if not figures else (0, figures["p50"] if by == "latency" else -figures["p50"])

    def lot(self, one):
        """Section 3.5, 5: stable before failing, then what costs nothing, what costs, and what nobody knows."""
        recent = one["health"].get("last_30s", {"requests": 0, "errors": 0})
        outage = recent["requests"] >= 3 and recent["errors"] / recent["requests"] > 0.3
        cost = self.metric("price", one)
        return (outage, 2 if cost[0] else int(cost[1] > 0))

    def sorted_by(self, suffix, flex):
        """What orders an entry when `order` does not: a sort, its suffix, the tier, the operator. Flex where
        nobody sells it routes as usual."""
        by = self.by or {"nitro": "throughput", "floor": "price", "exacto": "exacto"}.get(suffix)
        if by or self.tier in (None, "default") or (self.tier == "flex" and not flex):
            by = by or self.world["routing"].get("sort")
            return (None, None) if by == "exacto" else (by, None)  # nothing is known of quality here
        return {"flex": "price"}.get(self.tier, "throughput"), self.tier

    def ranks(self, live):
        """Survivors with their rank; the lots fall among those of one rank where `True`."""
        suffixes = {suffix if suffix in ("nitro", "floor", "exacto") else "" for _, _, _, suffix in live}
        for one, entry, model_at, suffix in live:
            missed, at = self.misses(one, live), 0 if self.together else model_at
            if self.order:
                place = next((i for i, name in enumerate(self.order) if self.means(name, one)), None)
                rest = self.by if self.by and self.by != "exacto" else None
                if place is None and self.by == "exacto":
                    rank = (at, 1, 0, missed, (0, 0))
                else:
                    by = "price" if place is not None else rest or "price"
                    rank = (at, place is None, place or 0, place is None and missed, self.metric(by, one))
                yield rank, False, one, entry, model_at
                continue
            flex = any(o["tier"] == "flex" for o, *_ in (live if self.together else [[one]]))
            by, tier = self.sorted_by(suffix if not self.together or len(suffixes) == 1 else "", flex)
            if by is None:
                yield (missed, at, self.lot(one)), True, one, entry, model_at
            else:
                yield (missed, at, int(tier is not None and one["tier"] != tier), self.metric(by, one)), False, one, entry, model_at

    def answer(self):
        """(groups of ids, {id: reasons}) or (None, status, code, {id: reasons})."""
        entries = [e for e in self.entries() if e[1]]
        if self.world["routing"].get("strict") and any(self.unmatched()):
            return None, 400, None, None
        if not entries:
            return None, 400, "model_not_found", {}
        live, dropped = [], {}
        for model_at, (entry, model, suffix) in enumerate(entries):
            for one in model["endpoints"]:
                identity = (model["id"], one["tag"])
                if any((o["model"], o["tag"]) == identity for o, *_ in live):
                    continue
                reasons = list(self.drops(one, suffix, model))
                if reasons:
                    dropped.setdefault(identity, reasons)
                else:
                    live.append((one, entry, model_at, suffix))
        strict = self.world["routing"].get("strict")
        for parameter in ("tools", "response_format", "structured_outputs", "verbosity"):
            if parameter in self.sent:
                models = {id(self.model_of(one)): any(self.takes(o, parameter) for o, *_ in live if o["model"] == one["model"]) for one, *_ in live}
                for item in list(live):
                    can = models[id(self.model_of(item[0]))] or (strict and parameter == "tools")
                    if can and not self.takes(item[0], parameter):
                        live.remove(item)
                        dropped.setdefault((item[0]["model"], item[0]["tag"]), ["parameters"])
        ranked = sorted(self.ranks(live), key=lambda r: (r[0], r[2]["tag"], r[4]))
        groups, kept = self.cut(ranked)
        for rank in ranked:
            identity = (rank[2]["model"], rank[2]["tag"])
            if rank not in kept and groups is not None:
                dropped[identity] = ["allow_fallbacks"]
        for rank in kept:
            dropped.pop((rank[2]["model"], rank[2]["tag"]), None)
        if not kept:
            return None, *refusal(dropped), dropped
        return groups, dropped

    def model_of(self, one):
        return self.world["models"][one["model"]]

    def cut(self, ranked):
        """Groups that the lots fall among, after `allow_fallbacks`."""
        if self.wishes.get("allow_fallbacks") is False and self.order:
            ranked = [r for r in ranked if r[0][1] is False]
        elif self.wishes.get("allow_fallbacks") is False:
            return None, ranked
        return groups_of(ranked), ranked


def groups_of(ranked):
    groups, last = [], None
    for rank, drawn, one, *_ in ranked:
        identity = (one["model"], one["tag"])
        if drawn and last == (rank, drawn):
            groups[-1].append(identity)
        else:
            groups.append([identity])
        last = (rank, drawn)
    return groups


def refusal(dropped):
    """Status and `availability.code` when nothing is left."""
    reasons = [r[0] for r in dropped.values()]
    if all(r in ("only", "ignore") for r in reasons):
        return 404, "no_endpoints"
    if all(r == "context_length" for r in reasons):
        return 400, "constraint_filtered"
    if all(r in ("only", "ignore", "zdr", "data_collection") for r in reasons):
        return 404, "privacy_restricted"
    return 404, "constraint_filtered"


# --- the comparison -------------------------------------------------------------------------------

def one_of_each(asked, ranked, found):
    """`allow_fallbacks: false` without `order`: of every entry the first, which a lot may choose."""
    left = list(ranked)
    entries = {entry for _, _, _, entry, _ in left}
    if len(found) != len(entries):
        return False
    best = set()
    for entry in entries:
        own = [r for r in left if r[3] == entry]
        best |= {((r[2]["model"], r[2]["tag"]), entry) for r in own if r[0] == own[0][0] and (r[1] or r is own[0])}
    return all(any(b == identity for b, _ in best) for identity in found)


def odd_member(asked, line):
    """What is wrong with a line beside who is tried, or None."""
    entries = {model["id"]: [] for _, model, _ in asked.entries() if model}
    for at, model, _ in asked.entries():
        if model:
            entries[model["id"]].append(at)
    for at, attempt in enumerate(line["attempts"]):
        one = next(e for e in asked.world["models"][attempt["model"]]["endpoints"] if e["tag"] == attempt["endpoint"])
        price = {key: None if text is None else Decimal(text) for key, text in attempt["price"].items()}
        expected = {key: (one["price"] or {}).get(key) for key in ("prompt", "completion")}
        if price != expected or attempt["provider"] != asked.world["providers"][one["slug"]]["name"]:
            return f"expected {expected}, found {attempt}"
        if at == 0:
            possible = {"direct" if entry == 0 else "fallback" for entry in entries[attempt["model"]]}
            if line["strategy"] not in possible:
                return f"expected {possible}, found strategy {line['strategy']}"
    if len(line["requested"]) != len(list(asked.entries())):
        return f"requested is {line['requested']}"
    return None


def differs(world, body, line):
    """What is wrong with a line, or None."""
    asked = Asked(world, body)
    if line["requested"] and (odd := odd_member(asked, line)):
        return odd
    answer = asked.answer()
    found = [(a["model"], a["endpoint"]) for a in line["attempts"]]
    dropped = {(d["model"], d["endpoint"]): d["reason"] for d in line["dropped"]}
    if len(found) != len(set(found)) or set(found) & set(dropped):
        return "an endpoint stands twice"
    for name in asked.unmatched():
        if not any(name in note for note in line["notes"]):
            return f"no note on {name!r}"
    if answer[0] is None and len(answer) == 4:
        _, status, code, expected = answer
        error = line.get("error")
        if found or not error or error["code"] != status or error.get("availability", {}).get("code") != code:
            return f"expected {status} {code}, found {error}"
        if code == "model_not_found" or expected is None:
            return None
    else:
        groups, expected = answer
        if "error" in line:
            return f"expected a plan {groups}, found {line['error']}"
        if groups is None:
            ranked = sorted(asked.ranks(survivors(asked)), key=lambda r: (r[0], r[2]["tag"], r[4]))
            return None if one_of_each(asked, ranked, found) else f"expected one of each entry, found {found}"
        rest = found
        for group in groups:
            if sorted(rest[: len(group)]) != sorted(group):
                return f"expected {groups}, found {found}"
            rest = rest[len(group):]
        if rest:
            return f"expected {groups}, found {found}"
    if set(dropped) != set(expected):
        return f"expected dropped {expected}, found {dropped}"
    for identity, reason in dropped.items():
        if reason != expected[identity][0]:
            return f"{identity}: expected {expected[identity]}, found {reason}"
    return None


def survivors(asked):
    """The survivors again, for the one case in which an answer does not carry them."""
    live, original = [], asked.cut
    asked.cut = lambda ranked: (live.extend(ranked), original(ranked))[1]
    asked.answer()
    entries = {model_at: suffix for model_at, (_, _, suffix) in enumerate(e for e in asked.entries() if e[1])}
    asked.cut = original
    return [(one, entry, model_at, entries[model_at]) for _, _, one, entry, model_at in live]


def explain(binary, home, bodies, seed):
    command = [binary, "explain", "--config", f"{home}/waystation.toml", "--health", f"{home}/health.json", "--batch"]
    command += ["--seed", str(seed)] if seed is not None else []
    run = subprocess.run(command, input="\n".join(bodies), capture_output=True, text=True, timeout=600,
                         env={"PATH": os.environ["PATH"], "HOME": home}, cwd=home)
    if run.returncode != 0:
        raise SystemExit(f"explain failed:\n{run.stderr}\n{open(f'{home}/waystation.toml').read()}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def write(home, text, rows):
    with open(f"{home}/waystation.toml", "w", encoding="utf-8") as out:
        out.write(text)
    with open(f"{home}/health.json", "w", encoding="utf-8") as out:
        json.dump(rows, out)


def agreement(binary, worlds, first, check):
    compared = plans = lots = 0
    for number in range(first, first + worlds):
        dice = random.Random(number)
        world = make_world(dice)
        text = config(world)
        settle_overrides(world)
        rows = [{"model": m["id"], "endpoint": e["tag"], **e["health"]} for m in world["models"].values() for e in m["endpoints"]]
        bodies = [make_request(dice, world) for _ in range(REQUESTS)]
        wrong = [spoil(dice, body) if dice.random() < 0.03 else None for body in bodies]
        with tempfile.TemporaryDirectory() as home:
            write(home, text, rows)
            lines = explain(binary, home, [json.dumps(body) for body in bodies], number)
        if len(lines) != len(bodies):
            check.that("every request has its line", False, f"world {number}: {len(lines)} of {len(bodies)}")
            continue
        for body, field, line in zip(bodies, wrong, lines):
            compared += 1
            if field:
                error = line.get("error", {})
                problem = None if error.get("code") == 400 and field in error.get("message", "") else f"expected a 400 that names {field}, found {line}"
            else:
                problem = differs(world, body, line)
            plans += bool(line["attempts"])
            lots += any("draw" in a["why"] for a in line["attempts"])
            if problem:
                short = json.dumps(body) if len(json.dumps(body)) < 4000 else json.dumps({**body, "messages": "long"})
                check.that(f"world {number}", False, f"{problem}\nrequest {short}\nline {json.dumps(line)}\n{text if os.environ.get('SHOW') else ''}")
    check.that(f"{compared} requests in {worlds} worlds: {plans} plans, {lots} with lots", plans > compared / 3 and lots > compared / 20)


def shares(binary, check):
    """How often each of two comes first, over many draws."""
    text = '[catalog]\nbundled = false\n' + "".join(
        f'[providers.{slug}]\nname = "{slug}"\ndialect = "openai-chat"\nbase_url = "http://127.0.0.1:9/v1"\napi_key = "k"\n' for slug in "abc")
    text += '[[models]]\nid = "acme/m"\n' + "".join(
        f'[[models.endpoints]]\nprovider = "{slug}"\nprice = {{ prompt = "{price}", completion = "{price}" }}\n' for slug, price in zip("abc", "123"))
    body = json.dumps({"model": "acme/m", "messages": [{"role": "user", "content": "Hi"}]})
    with tempfile.TemporaryDirectory() as home:
        write(home, text, [{"model": "acme/m", "endpoint": "b", "last_30s": {"requests": 10, "errors": 9}}])
        lines = explain(binary, home, [body] * 10_000, None)
        again = explain(binary, home, [body] * 3, 7)
    first = sum(line["attempts"][0]["endpoint"] == "a" for line in lines) / len(lines)
    check.that(f"the share of $1 against $3 is 0.90 +- 0.02: {first:.3f}", abs(first - 0.9) <= 0.02)
    check.that("whoever is in an outage is last", all(line["attempts"][-1]["endpoint"] == "b" for line in lines))
    check.that("every line has a seed of its own", len({line["seed"] for line in lines}) > 9_900)
    check.that("a seed makes a plan again", again[0] == again[1] == again[2] and again[0]["seed"] == 7)


if __name__ == "__main__":
    binary = os.path.realpath(sys.argv[1])
    worlds, first = (int(a) for a in (*sys.argv[2:4], *["100", "1"][len(sys.argv) - 2:]))
    check = Checks()
    shares(binary, check)
    agreement(binary, worlds, first, check)
    check.close()
