"""The software stack of the demo and the tests: EasyBuild, easyconfigs, sources, and the stack built once per user."""
