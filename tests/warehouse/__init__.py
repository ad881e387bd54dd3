"""What the built SQL promises, stage by stage, on real data, on the demo shop and on adversarial input."""
