"""DVC: the only package that knows its layout, and the only one that starts it.

Read paths need no import of DVC: DVC documents its files, and a revision's manifest is one Git
blob and one JSON object, at a hundredth of the cost of DVC's file system. What DVC is for (init,
remotes, push, pull, collection) is done by the real DVC.
"""
