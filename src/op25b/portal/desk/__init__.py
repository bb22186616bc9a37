"""What the staff's desks do, for the console's pages and for the operators' interface alike."""
