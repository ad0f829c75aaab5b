//! A pure routing engine for language models.
#![doc = include_str!("../README.md")]

mod ask;
mod detail;
mod draw;
mod entry;
mod explain;
mod health;
mod names;
mod no_route;
mod order;
mod plan;
mod prefer;
mod quality;
mod record;
mod rules;
mod shortcut;
mod sticky;
mod threshold;
mod trace;
mod why;
mod world;

pub use ask::ask;
pub use detail::Detail;
pub use entry::pool;
pub use explain::{
    ExplainedAttempt, ExplainedAvailability, ExplainedError, ExplainedPrice, Explanation, explain,
};
pub use health::{
    Admit, HealthFileError, HealthRow, HealthTable, HealthView, MAX_ENDPOINTS, Measured, Outcome,
    Percentiles, Prior, ProbeGuard, Recent,
};
pub use no_route::{Constraint, NoRoute, NoRouteCode};
pub use plan::{Plan, Planned, Strategy, plan, plan_in_brief};
pub use record::{DecisionRecord, PluginHints, PromptSize};
pub use sticky::{Conversation, StickyTable, Stuck};
pub use trace::{Dropped, Reason, Trace};
pub use why::{UnknownWhy, Why, Whys};
pub use world::{RoutingPolicy, World};
