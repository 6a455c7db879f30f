//! Model wires, SSE decoder, retry schedule, catalogue, cost and credentials.
