"""What keeps a computer from sending mail, found out on that computer: one file for any Python, the page that offers
it, and the code by which the desk sees what it found."""
