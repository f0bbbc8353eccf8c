@echo off
rem Installs audioformer from this folder, without internet, on Windows:
rem   install.bat [FOLDER]        FOLDER for the programs; default: audioformer in your user folder
setlocal
set "target=%~1"
if "%target%"=="" set "target=%USERPROFILE%\audioformer"
set "python="
for %%v in (@PYTHONS@) do if not defined python (py -%%v -c "" >nul 2>nul && set "python=py -%%v")
if not defined python (
  python -c "import sys; sys.exit('%%d.%%d' %% sys.version_info[:2] not in '@PYTHONS@'.split())" >nul 2>nul && set "python=python"
)
if not defined python (
  echo install.bat: needs Python @PYTHONS@ ^(these packages fit no other^); install it from python.org first
  exit /b 1
)
%python% -m venv "%target%" || exit /b 1
"%target%\Scripts\python" -m pip install --disable-pip-version-check --no-index --find-links "%~dp0wheels" "audioformer[@EXTRAS@]==@VERSION@"
if errorlevel 1 (
  echo install.bat: this bundle is for @SYSTEMS@
  exit /b 1
)
if exist "%~dp0recordings" xcopy /e /i /q /y "%~dp0recordings" "%USERPROFILE%\.audioformer\recordings" >nul
"%target%\Scripts\audioformer" check
echo.
echo Start the app:        "%target%\Scripts\audioformer" app --open
echo Open the notebooks:   "%target%\Scripts\audioformer" lab
