//! The promises of the ledger: whole schedules in `schedules`, every schedule of small worlds in
//! `exhaustive`, single cases in the other files.

mod abandoned;
mod attacks;
mod cases;
mod evidence;
mod exhaustive;
mod schedules;
mod sizes;
mod splitting;
mod table;
mod waiting;
mod world;
