"""Function words: words with a grammatical or polite role and hardly any meaning, in seven languages.

When one of them is added to a short text, dropped or replaced, the meaning stays. The lists leave out negations,
question words (`where`, `when`), numbers, words that change the meaning (`from`, `without`, `off`, `but`), and words
with another meaning in another of these languages (German `war` and `die`, French `son`). All are written without
accents, because texts are compared without them.
"""

_ENGLISH = """
a an the this that these those my your his her its our their i me we us you he him she it they them some any
am is are was were be been being do does did has have had having will would shall should can could may might must
to of for in on at by with about as into onto upon and or so because if please kindly thanks thank hi hello hey dear
just really very quite also there here now
"""
_GERMAN = """
der das dem ein eine einen einem einer eines mein meine meinen meinem meiner dein deine sein seine ihr ihre ihren ich
mich mir du dich dir er sie es wir uns euch ihnen ist sind bist waren sei habe haben hatte hatten wird werden wurde
wurden kann konnen konnte konnten zu im am an auf bei fur und oder bitte danke hallo sehr
"""
_FRENCH = """
le la les un une du de des au aux mon ma mes ton ta tes sa ses ce cet cette ces notre votre nos vos je j moi tu il elle
nous vous ils elles est sont etait suis es etes ai avons avez ont a et ou en dans que qui s il merci bonjour tres
"""
_SPANISH = """
el los las lo unos unas mi mis tu tus su sus yo te se nos son esta estan era fue ha han hay para por con y o que al del
gracias hola muy
"""
_ITALIAN_PORTUGUESE_DUTCH = """
i gli uno mio mia miei sono e di da che per ho hai abbiamo grazie ciao os um uma meu minha meus minhas eu ele ela voce
do da no na em com ao obrigado ola het een mijn ik je jij wij zijn heb heeft hebben te en van voor dank
"""
FUNCTION_WORDS = frozenset(" ".join((_ENGLISH, _GERMAN, _FRENCH, _SPANISH, _ITALIAN_PORTUGUESE_DUTCH)).split())
_NEGATIONS = "not no never none without nicht kein keine nie ohne pas jamais sans nunca sin non mai senza"
NEGATIONS = frozenset(_NEGATIONS.split())
"""Words that reverse the meaning of a sentence."""
UNSPACED_NEGATIONS = ("\u0e44\u0e21\u0e48", "\u0e9a\u0ecd\u0ec8", "\u1798\u17b7\u1793", "\u17a2\u178f\u17cb")
"""Negations of Thai, Lao and Khmer, where they are parts of longer strings."""
