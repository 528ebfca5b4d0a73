//! Tests of the whole: contracts between its parts, the shipped workflows, the ledger against
//! DynamoDB's semantics, and requests from end to end.

mod budgets;
mod burst;
mod contract;
mod contributing;
mod conversation;
mod environment;
mod front_door;
mod host;
mod ledger;
mod reconcile;
mod requests;
mod routing;
mod script;
mod velocity;
mod workflow;
