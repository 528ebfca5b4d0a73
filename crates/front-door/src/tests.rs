mod bodies;
mod doors;
