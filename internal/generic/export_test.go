package generic

// Provider returns which sign of the patterns in file the name has.
func Provider(file, name string) string {
	x := Signs{c: cutUp(name)}
	x.ofTemplates(newProviders(file), name)
	for _, s := range []Sign{providerDynamic, providerStatic, providerOwn} {
		if x.Has(s) {
			return s.String()
		}
	}
	return ""
}

// Patterns returns the lines of the list of providers.
func Patterns() string { return providersFile }

// Words returns the lines of the lexicon.
func Words() string { return wordsFile }
