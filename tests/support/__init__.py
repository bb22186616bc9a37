"""What several tests share: random policies, an oracle, packets as bytes, a router to send them through."""
