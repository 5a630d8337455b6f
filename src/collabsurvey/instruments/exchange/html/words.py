"""The words of the questionnaire page itself, by language; questions speak their instrument's."""

from __future__ import annotations

FALLBACK = "en-GB"

# In braces: what the page fills in. The keys are the same in every language (a test checks it).
WORDS: dict[str, dict[str, str]] = {
    "en-GB": {
        "skip": "Skip to the questions",
        "draft": "This questionnaire is a draft. It has not been tested enough to judge a school "
        "or a person by it.",
        "retired": "This questionnaire has been withdrawn and should not be used any more.",
        "about": "About this questionnaire",
        "who_asks": "The person who gave you this questionnaire can tell you who is asking, what "
        "the answers are for and who will see them.",
        "voluntary": "Taking part is up to you. You may leave any question open, and stop at any "
        "time.",
        "sends_nothing": "This page works without the internet and sends nothing anywhere. When "
        "you save, your answers go into a file on this device, and you pass that file on yourself.",
        "contact": "Questions, and where your answers go: {contact}",
        "no_contact_named": "If you have a question, ask the person who gave you this "
        "questionnaire.",
        "keyboard": "With a keyboard, Tab moves to the next question, the arrow keys or the space "
        "bar choose an answer, and Delete clears it.",
        "tick": "Please give one answer to each question: tick a circle, or write a number where "
        "there is a box.",
        "print": "Print this page",
        "no_script": "You can read this page and print it, but not save answers here, because "
        "scripts are off. Previews in mail and file apps switch them off too: open the file in a "
        "browser such as Firefox, Chrome, Edge or Safari.",
        "about_you": "About you",
        "code": "Your code (optional)",
        "code_hint": "Please do not use your name. If you are asked again later, use the same "
        "code, so that your answers can be put together without anyone knowing who you are. A "
        "code that you can work out again: the first two letters of your mother's first name, "
        "the day of the month you were born on, and the last letter of the street you grew up "
        "in, such as MA07E.",
        "school": "Your school or organisation (optional)",
        "choose_school": "Choose from the list",
        "school_hint": "Leave this open if yours is not in the list.",
        "role": "Your role (optional)",
        "role_front_line": "I teach, or work with pupils and families",
        "role_decision_maker": "I lead: head, senior leader, governor or trustee",
        "role_boundary_spanner": "My job is to connect schools and bring them together",
        "role_partner": "I work for a partner agency",
        "keep": "Keep my answers on this device until I save them",
        "keep_hint": "They then survive closing the page, and are deleted when you save. Leave "
        "this off on a computer that others use too.",
        "keep_failed": "This browser does not let the page keep answers.",
        "brought_back": "Your answers were kept on this device and have been brought back.",
        "questions": "Questions",
        "about_partner": "About {partner}",
        "part": "Part {part} of {parts}",
        "from_to": "Questions {first} to {last}",
        "only_one": "Question {first}",
        "own_part": "If {partner} is your own school or organisation, leave this part out.",
        "own_left_out": "The part about {partner} is left out, because it is your own school or "
        "organisation.",
        "number_between": "A number from {low} to {high}",
        "wrong_number": "Please write a number from {low} to {high}, or leave the answer empty.",
        "points_rule": "Share out exactly {total} points among these {n}; each may get 0.",
        "ranks_rule": "Give each number from 1 to {n} once.",
        "points_left": "{done} of {total} points shared out, {left} to go.",
        "points_all": "All {total} points are shared out.",
        "points_over": "{done} points shared out, {over} more than {total}.",
        "ranks_left": "Still to give: {left}.",
        "ranks_all": "Each number is given once.",
        "ranks_twice": "Given more than once: {twice}.",
        "own_words": "In your own words. Please write no names.",
        "progress": "Progress",
        "answered": "{done} of {total} answered",
        "next_open": "Next open question",
        "clear_answer": "Clear answer",
        "finish": "Save your answers",
        "finish_text": "Saving makes one small file (CSV) in the downloads folder of this device. "
        "Nothing is sent.",
        "save": "Save my answers",
        "look_again": "Please look at these answers again",
        "open_one": "One question is open",
        "open_many": "{n} questions are open",
        "open_text": "That is fine. You can go back to them, or save your answers as they are.",
        "question_link": "Question {number}",
        "question_link_partner": "{partner}, question {number}",
        "go_back": "Go to the first open question",
        "save_anyway": "Save anyway",
        "saved": "Your answers are saved",
        "saved_where": "Look for the file {file} in the downloads folder of this device.",
        "saved_next": "Please pass the file on as agreed. On a computer that others use too, "
        "delete it afterwards and empty this page.",
        "no_file": "There is no such file?",
        "copy_hint": "Then copy this text and pass it on instead.",
        "copy": "Copy the text",
        "copied": "The text is copied.",
        "copy_by_hand": "The text is selected. Copy it with Ctrl+C, or hold it with a finger.",
        "clear_page": "Empty this page for the next person",
        "emptied": "The page is empty again.",
        "licence": "Version {version}. Licence of the questions: {licence}.",
        "made_with": "Page made with collabsurvey {version}.",
        "cannot_say": "I cannot say",
        "no_contact": "I have had no contact",
        "not_applicable": "This does not apply to me",
        "refused": "I would rather not say",
        "own_school": "our school",
        "partnership": "our partnership",
    },
    "de": {
        "skip": "Direkt zu den Fragen",
        "draft": "Dieser Fragebogen ist ein Entwurf. Er ist noch nicht so weit geprüft, dass man "
        "eine Schule oder eine Person danach beurteilen könnte.",
        "retired": "Dieser Fragebogen ist zurückgezogen und soll nicht mehr verwendet werden.",
        "about": "Zu diesem Fragebogen",
        "who_asks": "Wer Ihnen diesen Fragebogen gegeben hat, kann Ihnen sagen, wer fragt, wofür "
        "die Antworten gebraucht werden und wer sie zu sehen bekommt.",
        "voluntary": "Die Teilnahme ist freiwillig. Sie können jede Frage offen lassen und "
        "jederzeit aufhören.",
        "sends_nothing": "Diese Seite braucht kein Internet und sendet nichts. Beim Speichern "
        "kommen Ihre Antworten in eine Datei auf diesem Gerät; weitergeben können nur Sie sie.",
        "contact": "Fragen, und wohin Ihre Antworten gehen: {contact}",
        "no_contact_named": "Wenn Sie eine Frage haben, wenden Sie sich an die Person, die Ihnen "
        "diesen Fragebogen gegeben hat.",
        "keyboard": "Mit der Tastatur: Tab führt zur nächsten Frage, die Pfeiltasten oder die "
        "Leertaste wählen eine Antwort, Entf löscht sie.",
        "tick": "Bitte geben Sie auf jede Frage eine Antwort: Kreuzen Sie einen Kreis an, oder "
        "schreiben Sie eine Zahl, wo ein Kasten steht.",
        "print": "Diese Seite drucken",
        "no_script": "Sie können diese Seite lesen und drucken, aber hier keine Antworten "
        "speichern, weil Skripte ausgeschaltet sind. Auch Vorschauen in Mail- und Datei-Apps "
        "schalten sie aus: Öffnen Sie die Datei in einem Browser wie Firefox, Chrome, Edge oder "
        "Safari.",
        "about_you": "Zu Ihnen",
        "code": "Ihr Code (freiwillig)",
        "code_hint": "Bitte nehmen Sie nicht Ihren Namen. Wenn Sie später noch einmal gefragt "
        "werden, nehmen Sie denselben Code, damit Ihre Antworten zusammengeführt werden können, "
        "ohne dass jemand weiß, wer Sie sind. Ein Code, den Sie wiederfinden: die ersten zwei "
        "Buchstaben des Vornamens Ihrer Mutter, der Tag im Monat, an dem Sie geboren sind, und "
        "der letzte Buchstabe der Straße, in der Sie aufgewachsen sind, etwa MA07E.",
        "school": "Ihre Schule oder Einrichtung (freiwillig)",
        "choose_school": "Bitte auswählen",
        "school_hint": "Lassen Sie das offen, wenn Ihre nicht in der Liste steht.",
        "role": "Ihre Aufgabe (freiwillig)",
        "role_front_line": "Ich unterrichte oder arbeite mit Kindern, Jugendlichen und Familien",
        "role_decision_maker": "Ich leite: Schulleitung, erweiterte Leitung oder Träger",
        "role_boundary_spanner": "Meine Aufgabe ist es, Schulen miteinander zu verbinden",
        "role_partner": "Ich arbeite für eine Partnereinrichtung",
        "keep": "Meine Antworten auf diesem Gerät aufheben, bis ich sie speichere",
        "keep_hint": "Sie bleiben dann auch nach dem Schließen der Seite erhalten und werden beim "
        "Speichern gelöscht. Lassen Sie das aus, wenn auch andere diesen Computer benutzen.",
        "keep_failed": "Dieser Browser lässt die Seite keine Antworten aufheben.",
        "brought_back": "Ihre Antworten waren auf diesem Gerät aufgehoben und sind wieder da.",
        "questions": "Fragen",
        "about_partner": "Über {partner}",
        "part": "Teil {part} von {parts}",
        "from_to": "Fragen {first} bis {last}",
        "only_one": "Frage {first}",
        "own_part": "Wenn {partner} Ihre eigene Schule oder Einrichtung ist, lassen Sie diesen "
        "Teil aus.",
        "own_left_out": "Der Teil über {partner} entfällt, weil das Ihre eigene Schule oder "
        "Einrichtung ist.",
        "number_between": "Eine Zahl von {low} bis {high}",
        "wrong_number": "Bitte schreiben Sie eine Zahl von {low} bis {high}, oder lassen Sie die "
        "Antwort leer.",
        "points_rule": "Verteilen Sie genau {total} Punkte auf diese {n}; jedes kann 0 bekommen.",
        "ranks_rule": "Vergeben Sie jede Zahl von 1 bis {n} einmal.",
        "points_left": "{done} von {total} Punkten verteilt, noch {left}.",
        "points_all": "Alle {total} Punkte sind verteilt.",
        "points_over": "{done} Punkte verteilt, {over} mehr als {total}.",
        "ranks_left": "Noch zu vergeben: {left}.",
        "ranks_all": "Jede Zahl ist einmal vergeben.",
        "ranks_twice": "Mehr als einmal vergeben: {twice}.",
        "own_words": "In Ihren eigenen Worten. Bitte schreiben Sie keine Namen.",
        "progress": "Fortschritt",
        "answered": "{done} von {total} beantwortet",
        "next_open": "Nächste offene Frage",
        "clear_answer": "Antwort löschen",
        "finish": "Antworten speichern",
        "finish_text": "Beim Speichern entsteht eine kleine Datei (CSV) im Download-Ordner dieses "
        "Geräts. Gesendet wird nichts.",
        "save": "Meine Antworten speichern",
        "look_again": "Bitte sehen Sie sich diese Antworten noch einmal an",
        "open_one": "Eine Frage ist offen",
        "open_many": "{n} Fragen sind offen",
        "open_text": "Das ist in Ordnung. Sie können dorthin zurückgehen oder Ihre Antworten so "
        "speichern, wie sie sind.",
        "question_link": "Frage {number}",
        "question_link_partner": "{partner}, Frage {number}",
        "go_back": "Zur ersten offenen Frage",
        "save_anyway": "Trotzdem speichern",
        "saved": "Ihre Antworten sind gespeichert",
        "saved_where": "Die Datei {file} liegt im Download-Ordner dieses Geräts.",
        "saved_next": "Bitte geben Sie die Datei weiter wie vereinbart. Wenn auch andere diesen "
        "Computer benutzen, löschen Sie sie danach und leeren Sie diese Seite.",
        "no_file": "Die Datei ist nicht da?",
        "copy_hint": "Dann kopieren Sie diesen Text und geben ihn stattdessen weiter.",
        "copy": "Text kopieren",
        "copied": "Der Text ist kopiert.",
        "copy_by_hand": "Der Text ist markiert. Kopieren Sie ihn mit Strg+C oder durch langes "
        "Drücken.",
        "clear_page": "Diese Seite für die nächste Person leeren",
        "emptied": "Die Seite ist wieder leer.",
        "licence": "Version {version}. Lizenz der Fragen: {licence}.",
        "made_with": "Seite erstellt mit collabsurvey {version}.",
        "cannot_say": "Kann ich nicht sagen",
        "no_contact": "Ich hatte keinen Kontakt",
        "not_applicable": "Das trifft auf mich nicht zu",
        "refused": "Das möchte ich nicht sagen",
        "own_school": "unsere Schule",
        "partnership": "unsere Partnerschaft",
    },
    "fr": {
        "skip": "Aller aux questions",
        "draft": "Ce questionnaire est un projet. Il n'a pas été assez éprouvé pour juger une "
        "école ou une personne.",
        "retired": "Ce questionnaire a été retiré et ne doit plus être utilisé.",
        "about": "À propos de ce questionnaire",
        "who_asks": "La personne qui vous a remis ce questionnaire peut vous dire qui pose ces "
        "questions, à quoi servent les réponses et qui les verra.",
        "voluntary": "Vous êtes libre de participer. Vous pouvez laisser toute question sans "
        "réponse et vous arrêter à tout moment.",
        "sends_nothing": "Cette page fonctionne sans internet et n'envoie rien. À "
        "l'enregistrement, vos réponses vont dans un fichier sur cet appareil, et c'est vous qui "
        "le transmettez.",
        "contact": "Questions, et à qui remettre vos réponses : {contact}",
        "no_contact_named": "Pour toute question, adressez-vous à la personne qui vous a remis ce "
        "questionnaire.",
        "keyboard": "Au clavier : Tab passe à la question suivante, les flèches ou la barre "
        "d'espace choisissent une réponse, Suppr l'efface.",
        "tick": "Veuillez donner une réponse à chaque question : cochez un cercle, ou écrivez un "
        "nombre là où il y a une case.",
        "print": "Imprimer cette page",
        "no_script": "Vous pouvez lire et imprimer cette page, mais pas y enregistrer de "
        "réponses, car les scripts sont désactivés. Les aperçus des messageries et des "
        "gestionnaires de fichiers les désactivent aussi : ouvrez le fichier dans un navigateur "
        "comme Firefox, Chrome, Edge ou Safari.",
        "about_you": "À propos de vous",
        "code": "Votre code (facultatif)",
        "code_hint": "N'indiquez pas votre nom. Si l'on vous interroge de nouveau, reprenez le "
        "même code : vos réponses pourront être réunies sans que l'on sache qui vous êtes. Un "
        "code facile à retrouver : les deux premières lettres du prénom de votre mère, le jour "
        "du mois de votre naissance et la dernière lettre de la rue de votre enfance, par "
        "exemple MA07E.",
        "school": "Votre école ou organisme (facultatif)",
        "choose_school": "Choisir dans la liste",
        "school_hint": "Laissez ce champ vide si le vôtre n'est pas dans la liste.",
        "role": "Votre fonction (facultatif)",
        "role_front_line": "J'enseigne, ou je travaille avec les élèves et les familles",
        "role_decision_maker": "Je dirige : direction, équipe de direction ou administration",
        "role_boundary_spanner": "Mon travail est de relier les écoles entre elles",
        "role_partner": "Je travaille pour un organisme partenaire",
        "keep": "Garder mes réponses sur cet appareil jusqu'à l'enregistrement",
        "keep_hint": "Elles restent alors même si la page est fermée, et sont effacées à "
        "l'enregistrement. Ne cochez pas cette case sur un ordinateur partagé.",
        "keep_failed": "Ce navigateur ne permet pas à la page de garder des réponses.",
        "brought_back": "Vos réponses étaient gardées sur cet appareil et ont été rétablies.",
        "questions": "Questions",
        "about_partner": "À propos de {partner}",
        "part": "Partie {part} sur {parts}",
        "from_to": "Questions {first} à {last}",
        "only_one": "Question {first}",
        "own_part": "Si {partner} est votre propre école ou organisme, laissez cette partie de "
        "côté.",
        "own_left_out": "La partie sur {partner} est omise, car c'est votre propre école ou "
        "organisme.",
        "number_between": "Un nombre de {low} à {high}",
        "wrong_number": "Veuillez écrire un nombre de {low} à {high}, ou laisser la réponse vide.",
        "points_rule": "Répartissez exactement {total} points entre ces {n} ; chacun peut recevoir "
        "0.",
        "ranks_rule": "Donnez chaque nombre de 1 à {n} une seule fois.",
        "points_left": "{done} points sur {total} répartis, encore {left}.",
        "points_all": "Les {total} points sont répartis.",
        "points_over": "{done} points répartis, {over} de plus que {total}.",
        "ranks_left": "Encore à donner : {left}.",
        "ranks_all": "Chaque nombre est donné une fois.",
        "ranks_twice": "Donné plus d’une fois : {twice}.",
        "own_words": "Avec vos propres mots. N’écrivez aucun nom.",
        "progress": "Avancement",
        "answered": "{done} réponses sur {total}",
        "next_open": "Question suivante sans réponse",
        "clear_answer": "Effacer la réponse",
        "finish": "Enregistrer vos réponses",
        "finish_text": "L'enregistrement crée un petit fichier (CSV) dans le dossier des "
        "téléchargements de cet appareil. Rien n'est envoyé.",
        "save": "Enregistrer mes réponses",
        "look_again": "Veuillez revoir ces réponses",
        "open_one": "Une question est sans réponse",
        "open_many": "{n} questions sont sans réponse",
        "open_text": "Ce n'est pas un problème. Vous pouvez y revenir, ou enregistrer vos "
        "réponses telles quelles.",
        "question_link": "Question {number}",
        "question_link_partner": "{partner}, question {number}",
        "go_back": "Aller à la première question sans réponse",
        "save_anyway": "Enregistrer quand même",
        "saved": "Vos réponses sont enregistrées",
        "saved_where": "Le fichier {file} est dans le dossier des téléchargements de cet appareil.",
        "saved_next": "Veuillez transmettre le fichier comme convenu. Sur un ordinateur partagé, "
        "supprimez-le ensuite et videz cette page.",
        "no_file": "Le fichier n'est pas là ?",
        "copy_hint": "Copiez alors ce texte et transmettez-le à la place.",
        "copy": "Copier le texte",
        "copied": "Le texte est copié.",
        "copy_by_hand": "Le texte est sélectionné. Copiez-le avec Ctrl+C ou par un appui long.",
        "clear_page": "Vider cette page pour la personne suivante",
        "emptied": "La page est de nouveau vide.",
        "licence": "Version {version}. Licence des questions : {licence}.",
        "made_with": "Page créée avec collabsurvey {version}.",
        "cannot_say": "Je ne peux pas dire",
        "no_contact": "Je n'ai pas eu de contact",
        "not_applicable": "Cela ne me concerne pas",
        "refused": "Je préfère ne pas le dire",
        "own_school": "notre école",
        "partnership": "notre partenariat",
    },
}


def page_words(language: str) -> tuple[str, dict[str, str]]:
    """Language of the page and its words: the one asked for, its main form, or British English."""
    if language in WORDS:
        return language, WORDS[language]
    main = language.partition("-")[0].casefold()
    if main == "en":
        return FALLBACK, WORDS[FALLBACK]
    return (main, WORDS[main]) if main in WORDS else (FALLBACK, WORDS[FALLBACK])
