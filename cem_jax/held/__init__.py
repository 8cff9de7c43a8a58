"""Operations of a network, found and named, and networks in which some of them are held."""
