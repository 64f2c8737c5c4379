"""The server of tachy, in rooms: each says in its first lines what it is and whom it may know; `parts` knows all."""
