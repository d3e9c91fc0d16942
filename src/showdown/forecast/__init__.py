"""What a comparison will need before anything is trained: memory and seconds of every arm on any device."""
