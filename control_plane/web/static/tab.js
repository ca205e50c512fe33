// Goes on into an application in this tab: the ticket travels in a form, never in an address.

document.getElementById("entry").submit();
